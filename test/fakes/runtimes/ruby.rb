# A runtime interface client for Ruby, just enough to run a function of examples/ with no gem installed.
# It finds the handler as Lambda's own client does: `_HANDLER=app.handler` is the method `handler` of $LAMBDA_TASK_ROOT/app.rb.
require "json"
require "net/http"

HOST, API_PORT = ENV.fetch("AWS_LAMBDA_RUNTIME_API").split(":")
API_PATH = "/2018-06-01/runtime/invocation"

def call_api(&request) = Net::HTTP.start(HOST, API_PORT.to_i, nil, read_timeout: nil, &request) # nil: no proxy, no time-out

$stdout.sync = true
file, method_name = ENV.fetch("_HANDLER").split(".")
require File.join(ENV.fetch("LAMBDA_TASK_ROOT", "/var/task"), file)

loop do
  invocation = call_api { |http| http.get("#{API_PATH}/next") }
  request_id = invocation["Lambda-Runtime-Aws-Request-Id"]
  result = send(method_name, event: JSON.parse(invocation.body), context: nil)
  call_api { |http| http.post("#{API_PATH}/#{request_id}/response", JSON.generate(result)) }
end
