# A Ruby function that reads a secret from the cross-account-secrets layer, in static code and in each invocation.
# It needs no gem. It prints and returns only the secret's keys. Your function must not log a value either.
require "json"
require "net/http"
require "uri"

def variable(name, otherwise = "")
  value = ENV.fetch(name, "")
  value.empty? ? otherwise : value
end

# Returns the text of a secret, by name or ARN.
def get_secret(secret_id)
  port = variable("CROSS_ACCOUNT_SECRETS_HTTP_PORT", "2773")
  token = variable("CROSS_ACCOUNT_SECRETS_TOKEN", variable("AWS_SESSION_TOKEN", variable("AWS_CONTAINER_AUTHORIZATION_TOKEN")))
  path = "/secretsmanager/get?#{URI.encode_www_form(secretId: secret_id)}"
  # nil means "no proxy". Without it, Ruby uses http_proxy.
  response = Net::HTTP.start("127.0.0.1", port.to_i, nil, open_timeout: 5, read_timeout: 5, max_retries: 0) do |http|
    http.get(path, "X-Aws-Parameters-Secrets-Token" => token)
  end
  body = JSON.parse(response.body)
  return body["SecretString"] if response.code == "200"

  raise "#{response.code} #{body["__type"]}: #{body["message"]} #{body["remedy"]}".strip
end

def get_keys
  fields = JSON.parse(get_secret(variable("SECRET_NAME")))
  fields.is_a?(Hash) ? fields.keys : { error: "the secret is not a JSON object" }
rescue JSON::ParserError, TypeError
  { error: "the text is not JSON" } # The error's message quotes it.
rescue StandardError => error
  { error: error.message }
end

INIT = get_keys # Never raises: an error here would cost a cold start, and only the handler can report it.

def handler(event:, context:)
  result = { init: INIT, handler: get_keys }
  puts JSON.generate(result)
  result
end
