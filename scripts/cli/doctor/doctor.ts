/** `cross-account-secrets doctor`: takes each step from the caller's own credentials to each secret, and reports it. */
import { readFileSync } from "node:fs";
import { random } from "../../../extension/lambda/snapshot.ts";
import { version } from "../../../package.json";
import { createDefaultCredentials, findDefaultRegion, toVariableRegion } from "../aws-defaults.ts";
import { parseOptions } from "../options.ts";
import type { CommandWorld } from "../world.ts";
import { parseDoctorConfig, toHelp, toTimeoutMs } from "./arguments.ts";
import { createOwnCredentials } from "./caller.ts";
import { toJsonReport, toOverallExitCode, toStepText, toSummary } from "./report.ts";
import { createSteps } from "./steps.ts";
import { takeSteps } from "./take-steps.ts";

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
  const config = parseDoctorConfig(values, environment, { defaultRegion, readFile });
  const { region, clientOptions } = config.aws;
  const steps = createSteps({
    config,
    baseCredentials: createOwnCredentials(createDefaultCredentials(region, now, clientOptions.caBundle)),
    // Loaded first, so that the time for it does not count for a step.
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
  const results = await takeSteps(steps, now, (result) => values.json || stdout(`${toStepText(result, paint)}\n`));
  const summary = toSummary(results, environment.AWS_LAMBDA_RUNTIME_API !== undefined);
  if (values.json) stdout(`${toJsonReport(results, { version, region })}\n`);
  else if (summary !== "") stdout(`\n${summary}\n`);
  return toOverallExitCode(results);
}
