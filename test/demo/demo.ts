/**
 * `npm run demo`: a cold start and a few invocations, in each language found here, of a function that reads a secret of
 * another account through the built layer. Lambda and AWS are fakes on this machine; the layer is the real one.
 */
import { env, stdout } from "node:process";
import { styleText } from "node:util";
import { build, readVersion, toOpt } from "../../scripts/build/build.ts";
import { startFakeLambda } from "../fakes/lambda.ts";
import { findFreePort } from "../support/free-port.ts";
import { type ExampleFunction, exampleFunctions } from "../support/functions.ts";
import { parseLogLine } from "../support/log.ts";
import { SECRET_NAME, startTwoAccounts, TARGET_ROLE_ARN } from "../support/two-accounts.ts";
import { drawTimeline, type Span } from "./timeline.ts";

const INVOCATIONS = 3;
type Style = Parameters<typeof styleText>[0];
const isPlain = !stdout.isTTY || Boolean(env.NO_COLOR);
const paint = (style: Style, text: string) => (isPlain ? text : styleText(style, text));
const say = (line = "") => console.log(line);

async function show({ language, version, runtime }: ExampleFunction): Promise<void> {
  const accounts = await startTwoAccounts();
  const port = String(await findFreePort());
  const environment = { ...accounts.environment, CROSS_ACCOUNT_SECRETS_HTTP_PORT: port };
  const lambda = await startFakeLambda({ opt: toOpt("nodejs"), environment, runtime });
  try {
    const beganEpochMs = Date.now();
    await lambda.init();
    const journalMs = (from: string, call: string, to?: string) =>
      lambda.journal.find((entry) => entry.from === from && entry.call === call && entry.detail.to === to)?.atMs ?? 0;
    const logMs = (event: string) => {
      const line = lambda.logs.map((log) => parseLogLine(log.line)).find((found) => found?.event === event);
      return Date.parse(String(line?.time)) - beganEpochMs;
    };
    const callMs = (operation: string) =>
      (accounts.aws.calls.find((call) => call.operation === operation)?.atMs ?? 0) - beganEpochMs;
    const extension = "cross-account-secrets";
    const registeredMs = journalMs(extension, "register");
    const spans: Span[] = [
      {
        label: "extension starts",
        fromMs: 0,
        toMs: registeredMs,
        remark: "and registers: now Lambda may start the runtime",
      },
      { label: "  loads AWS SDK", fromMs: registeredMs, toMs: logMs("aws-sdk-loaded"), remark: "not before" },
      { label: "  AssumeRole", fromMs: callMs("AssumeRole"), toMs: logMs("role-assumed"), remark: TARGET_ROLE_ARN },
      {
        label: "  GetSecretValue",
        fromMs: callMs("GetSecretValue"),
        toMs: logMs("secret-fetched"),
        remark: SECRET_NAME,
      },
      {
        label: "function starts",
        fromMs: journalMs("lambda", "start", "runtime"),
        toMs: journalMs("runtime", "next"),
        remark: "its static code asks for the secret, and gets it",
      },
    ];

    say(paint("bold", `${language} ${version}`));
    say();
    for (const line of drawTimeline(spans, (bar) => paint("cyan", bar))) say(`  ${line}`);
    say();
    for (let number = 1; number <= INVOCATIONS; number += 1) {
      const invocation = await lambda.invoke();
      if (!("payload" in invocation)) throw new Error(`the function failed: ${invocation.error.errorMessage}`);
      const answer = JSON.stringify(invocation.payload);
      if (answer.includes("error")) throw new Error(`the function reports ${answer}`);
      say(`  invocation ${number}  ${`${invocation.durationMs.toFixed(1)} ms`.padStart(8)}  ${answer}`);
    }
    const { exitCode, ms } = await lambda.shutdown();
    say(`  shutdown      ${`${ms.toFixed(1)} ms`.padStart(8)}  exit code ${exitCode}`);
    say();
    const summary = lambda.logs.map((log) => parseLogLine(log.line)).find((line) => line?.event === "shutdown");
    const reads = `${INVOCATIONS + 1} reads by the function, ${summary?.hits} of them from memory`;
    const calls = ["AssumeRole", "GetSecretValue"]
      .map((operation) => `${accounts.aws.calls.filter((call) => call.operation === operation).length} × ${operation}`)
      .join(" and ");
    say(`  ${reads}; ${paint("green", `${calls} at AWS`)}`);
    say();
  } catch (error) {
    for (const { source, line } of lambda.logs) say(`  ${source}: ${line}`);
    throw error;
  } finally {
    await lambda.close();
    await accounts.close();
  }
}

say(paint("bold", `cross-account-secrets ${await readVersion()}`));
say();
say("A function in account 222222222222 reads a secret that account 111111111111 keeps.");
say("The layer is the one that `npm run build` makes; Lambda and AWS are fakes on this machine.");
say();
await build(["nodejs"], (line) => say(`  built ${line}`));
say();
for (const example of exampleFunctions) {
  if (example.version === undefined) say(`${example.language}: not found here, left out\n`);
  else await show(example);
}
