/** What we use of the AWS SDK for Parameter Store. It is a separate bundle, loaded with the first parameter. */
import { GetParameterCommand, type GetParameterCommandInput, SSMClient } from "@aws-sdk/client-ssm";
import { type ClientOptions, destroyClient, toClientConfig } from "./client.ts";

/** One try of GetParameter, over its own connection. It ends when `signal` fires at the latest. */
export function getParameter(input: GetParameterCommandInput, options: ClientOptions, signal: AbortSignal) {
  const config = toClientConfig(options);
  const client = new SSMClient(config);
  return client
    .send(new GetParameterCommand(input), { abortSignal: signal })
    .finally(() => destroyClient(client, config.systemClockOffset));
}
