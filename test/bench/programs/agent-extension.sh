#!/bin/sh
# Starts AWS's agent as the agent's own example of a Lambda extension does: in the first invocation. Then asks it every 100 ms
# until it answers. Unlike the example, this script chooses the port, and ends the agent.
api=http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension
port=$CROSS_ACCOUNT_SECRETS_HTTP_PORT
identifier=$(curl --silent --dump-header - --output /dev/null --data '{"events":["INVOKE","SHUTDOWN"]}' \
  --header "Lambda-Extension-Name: ${0##*/}" "$api/register" | tr -d '\r' | grep -i '^lambda-extension-identifier:')
agent=
while event=$(curl --silent --header "$identifier" "$api/event/next"); do
  case $event in *'"eventType":"SHUTDOWN"'*) break ;; esac
  [ -n "$agent" ] && continue
  cd /tmp || exit 1 # the agent writes its log to the current folder
  echo "http_port = $port" >agent.toml
  /opt/bin/aws-workload-credentials-provider sm start --config agent.toml &
  agent=$!
  until [ "$(curl --silent "http://localhost:$port/ping")" = healthy ]; do sleep 0.1; done
done
[ -n "$agent" ] && kill "$agent"
