# A runtime interface client for Ruby, as small as it can be: enough to run a function of examples/ with no gem installed.
# It takes the handler as Lambda's own does: `_HANDLER=app.handler` is the method `handler` of $LAMBDA_TASK_ROOT/app.rb.
require "json"
require "net/http"

HOST, PORT_OF_API = ENV.fetch("AWS_LAMBDA_RUNTIME_API").split(":")
PATH_OF_API = "/2018-06-01/runtime/invocation"

def call_api(&request) = Net::HTTP.start(HOST, PORT_OF_API.to_i, nil, read_timeout: nil, &request) # nil: no proxy, no time-out

$stdout.sync = true
file, method_name = ENV.fetch("_HANDLER").split(".")
require File.join(ENV.fetch("LAMBDA_TASK_ROOT", "/var/task"), file)

loop do
  invocation = call_api { |http| http.get("#{PATH_OF_API}/next") }
  request_id = invocation["Lambda-Runtime-Aws-Request-Id"]
  result = send(method_name, event: JSON.parse(invocation.body), context: nil)
  call_api { |http| http.post("#{PATH_OF_API}/#{request_id}/response", JSON.generate(result)) }
end
