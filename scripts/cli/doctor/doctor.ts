/** `cross-account-secrets doctor`: the way from one's own credentials to each secret, step by step. */
import { readFileSync } from "node:fs";
import { random } from "../../../extension/lambda/snapshot.ts";
import { version } from "../../../package.json";
import { createDefaultCredentials, findDefaultRegion, toVariableRegion } from "../aws-defaults.ts";
import { parseOptions } from "../options.ts";
import type { CommandWorld } from "../world.ts";
import { toHelp } from "./help.ts";
import { createOwnCredentials } from "./own-credentials.ts";
import { toJson, toOverallExitCode, toSummary, toText } from "./report.ts";
import { toConfig, toTimeoutMs } from "./settings.ts";
import { toSteps } from "./steps.ts";
import { walk } from "./walk.ts";

const text = { type: "string" } as const;
const texts = { type: "string", multiple: true } as const;

export async function run(args: readonly string[], world: CommandWorld): Promise<number> {
  const { environment, stdout, paint, now } = world;
  const { values } = parseOptions(args, {
    "role-arn": text,
    secret: texts,
    parameter: texts,
    "external-id": text,
    region: text,
    "session-name": text,
    duration: text,
    "session-tags": text,
    "source-identity": text,
    "session-policy": text,
    "timeout-ms": text,
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  });
  if (values.help) {
    stdout(`${toHelp()}\n`);
    return 0;
  }
  const timeoutMs = toTimeoutMs(values["timeout-ms"]);
  const readFile = (path: string) => readFileSync(path, "utf8");
  const defaultRegion = toVariableRegion(environment) ?? (await findDefaultRegion());
  const config = toConfig(values, environment, { defaultRegion, readFile });
  const { region } = config.aws;
  const steps = toSteps({
    config,
    baseCredentials: createOwnCredentials(createDefaultCredentials(region, now)),
    // Loaded beforehand, so that their time is not taken for AWS's.
    awsSdk: await import("../../../extension/aws/sdk.ts"),
    awsSsm: await import("../../../extension/aws/sdk-ssm.ts"),
    awsIdentity: await import("./aws-identity.ts"),
    iamEndpoint: environment.AWS_ENDPOINT_URL_IAM || environment.AWS_ENDPOINT_URL,
    version,
    timeoutMs,
    now,
    monotonicNow: () => performance.now(),
    random,
    readFile,
  });
  const outcomes = await walk(steps, now, (outcome) => values.json || stdout(`${toText(outcome, paint)}\n`));
  const summary = toSummary(outcomes, environment.AWS_LAMBDA_RUNTIME_API !== undefined);
  if (values.json) stdout(`${toJson(outcomes, { version, region })}\n`);
  else if (summary !== "") stdout(`\n${summary}\n`);
  return toOverallExitCode(outcomes);
}
