/** What we use of the AWS SDK for Parameter Store: a file of its own, loaded when the first parameter is asked for. */
import { GetParameterCommand, type GetParameterCommandInput, SSMClient } from "@aws-sdk/client-ssm";
import { type ClientOptions, leave, toClientConfig } from "./client.ts";

/** GetParameter: one try, over a connection of its own, ended at the latest when `signal` fires. */
export function getParameter(input: GetParameterCommandInput, options: ClientOptions, signal: AbortSignal) {
  const config = toClientConfig(options);
  const client = new SSMClient(config);
  return client
    .send(new GetParameterCommand(input), { abortSignal: signal })
    .finally(() => leave(client, config.systemClockOffset));
}
