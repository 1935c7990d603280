/** `npm run demo`: see HELP. */
import { argv, env, stdout } from "node:process";
import { build, readVersion, toOpt } from "../../scripts/build/build.ts";
import { parseOptions } from "../../scripts/cli/options.ts";
import { toPaint } from "../../scripts/cli/world.ts";
import { startFakeLambda } from "../fakes/lambda.ts";
import { runCommand } from "../support/command-line.ts";
import { findFreePort } from "../support/free-port.ts";
import { type ExampleFunction, exampleFunctions } from "../support/functions.ts";
import { parseLogLine } from "../support/log.ts";
import { SECRET_NAME, startTwoAccounts, TARGET_ROLE_ARN } from "../support/two-accounts.ts";
import { type DemoRun, type Span, toPicture } from "./picture.ts";

const INVOCATIONS = 3;
const paint = toPaint(stdout.isTTY === true, env);
const say = (line = "") => console.log(line);

const HELP = `Shows a cold start and some invocations, in each language of this machine, of a function that reads a secret of another
account through the built layer. Lambda and AWS are fakes on this machine.

  npm run demo

  --help   prints this text`;

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
        remark: "and registers",
      },
      {
        label: "  loads AWS SDK",
        fromMs: registeredMs,
        toMs: logMs("aws-sdk-loaded"),
        remark: "after registering",
      },
      {
        label: "  AssumeRole",
        fromMs: callMs("AssumeRole"),
        toMs: logMs("role-assumed"),
        remark: TARGET_ROLE_ARN.split("/").at(-1) ?? "",
      },
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
        remark: "and has the secret",
      },
    ];

    const invocations: DemoRun["invocations"][number][] = [];
    while (invocations.length < INVOCATIONS) {
      const invocation = await lambda.invoke();
      if (!("payload" in invocation)) throw new Error(`the function failed: ${invocation.error.errorMessage}`);
      const text = JSON.stringify(invocation.payload);
      if (text.includes("error")) throw new Error(`the function reports ${text}`);
      invocations.push({ ms: invocation.durationMs, answer: JSON.parse(text) });
    }
    const shutdown = await lambda.shutdown();
    const summary = lambda.logs.map((log) => parseLogLine(log.line)).find((line) => line?.event === "shutdown");
    const count = (wanted: string) => accounts.aws.calls.filter(({ operation }) => operation === wanted).length;
    const calls = { AssumeRole: count("AssumeRole"), GetSecretValue: count("GetSecretValue") };
    const title = `${language} ${version}`;
    const run: DemoRun = { title, spans, invocations, shutdown, hits: Number(summary?.hits), calls };
    for (const line of toPicture(run, paint)) say(line);
    say();
  } catch (error) {
    for (const { source, line } of lambda.logs) say(`  ${source}: ${line}`);
    throw error;
  } finally {
    await lambda.close();
    await accounts.close();
  }
}

await runCommand("demo", async () => {
  const { values } = parseOptions(argv.slice(2), { help: { type: "boolean" } });
  if (values.help === true) return say(HELP);
  say(paint("bold", `cross-account-secrets ${await readVersion()}`));
  say();
  say("A function in account 222222222222 reads a secret of account 111111111111.");
  say("`npm run build` makes the same layer. Lambda and AWS are fakes on this machine.");
  say();
  await build(["nodejs"], (line) => say(`  built ${line}`));
  say();
  for (const example of exampleFunctions) {
    if (example.version === undefined) say(`${example.language}: not found on this machine, left out\n`);
    else await show(example);
  }
});
