/** The parts of the AWS SDK that only `doctor` uses. They are a bundle of their own, which no layer contains. */
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { type ClientOptions, destroyClient, readBody, toClientConfig } from "../../../extension/aws/client.ts";

/** Calls GetCallerIdentity once. `clockOffsetMs` is how far AWS's clock is ahead of ours, according to the answer. */
export async function getCallerIdentity(options: ClientOptions, signal: AbortSignal) {
  const config = toClientConfig(options);
  const client = new STSClient(config);
  try {
    const answer = await client.send(new GetCallerIdentityCommand(), { abortSignal: signal });
    return { answer, clockOffsetMs: client.config.systemClockOffset };
  } finally {
    destroyClient(client, config.systemClockOffset);
  }
}

/** Each partition has one endpoint of IAM: https://docs.aws.amazon.com/general/latest/gr/iam-service.html */
const IAM = new Map([
  ["aws", { region: "us-east-1", endpoint: "https://iam.amazonaws.com" }],
  ["aws-cn", { region: "cn-north-1", endpoint: "https://iam.cn-north-1.amazonaws.com.cn" }],
  ["aws-us-gov", { region: "us-gov-west-1", endpoint: "https://iam.us-gov.amazonaws.com" }],
]);

/**
 * Calls GetRole, and returns the role's ARN with its path. Rejects or returns undefined if the caller is not allowed to, as
 * most are not. It signs with STS's client, because a client of IAM is too large for one request.
 * https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html
 */
export async function getRoleArn(
  { partition, name }: { readonly partition: string; readonly name: string },
  options: ClientOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  const iam = IAM.get(partition);
  // If FIPS endpoints are required, IAM is not called: the table has none.
  if (iam === undefined || options.useFipsEndpoint) return undefined;
  const url = new URL(options.endpoint ?? iam.endpoint);
  const { config } = new STSClient(toClientConfig({ ...options, region: iam.region }));
  const signer = await config.signer({
    name: "sigv4",
    signingName: "iam",
    signingRegion: iam.region,
    properties: {},
  });
  const body = new URLSearchParams({ Action: "GetRole", Version: "2010-05-08", RoleName: name }).toString();
  const signed = await signer.sign({
    method: "POST",
    protocol: url.protocol,
    hostname: url.hostname,
    ...(url.port === "" ? {} : { port: Number(url.port) }),
    path: url.pathname,
    headers: { host: url.host, "content-type": "application/x-www-form-urlencoded" },
    body,
  });
  const { response } = await config.requestHandler.handle(signed, { abortSignal: signal });
  return /<Arn>(arn:[^<]{1,2000})<\/Arn>/.exec((await readBody(response.body)).toString())?.[1];
}
