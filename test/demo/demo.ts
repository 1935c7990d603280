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
import { toTableLines } from "../support/text-table.ts";
import { SECRET_NAME, startTwoAccounts, TARGET_ROLE_ARN } from "../support/two-accounts.ts";

const INVOCATIONS = 3;
const paint = toPaint(stdout.isTTY === true, env);
const say = (line = "") => console.log(line);

const HELP = `Shows a cold start and some invocations, in each language of this machine, of a function that reads a secret of another
account through the built layer. Lambda and AWS are fakes on this machine.

  npm run demo

  --help   prints this text`;

interface Span {
  readonly label: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly remark: string;
}

const BAR_COLUMNS = 40;

/** Bars over one time axis, one line for each span. */
function toTimeline(spans: readonly Span[]): string[] {
  const endMs = Math.max(1, ...spans.map(({ toMs }) => toMs));
  const toColumn = (ms: number) => Math.min(BAR_COLUMNS, Math.max(0, Math.round((ms / endMs) * BAR_COLUMNS)));
  const axis = `0${`${Math.round(endMs)} ms`.padStart(BAR_COLUMNS - 1)}`;
  const rows = spans.map(({ label, fromMs, toMs, remark }) => {
    const from = Math.min(toColumn(fromMs), BAR_COLUMNS - 1);
    const bar = " ".repeat(from) + paint("cyan", "━".repeat(Math.max(1, toColumn(toMs) - from)));
    return [label, bar, `${Math.round(toMs - fromMs)} ms`, remark];
  });
  return toTableLines([{}, {}, { isRightAligned: true }, {}], [["", axis], ...rows], { indent: "  " });
}

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
      {
        label: "  loads AWS SDK",
        fromMs: registeredMs,
        toMs: logMs("aws-sdk-loaded"),
        remark: "after the registration",
      },
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
    for (const line of toTimeline(spans)) say(line);
    say();
    const rows: string[][] = [];
    for (let number = 1; number <= INVOCATIONS; number += 1) {
      const invocation = await lambda.invoke();
      if (!("payload" in invocation)) throw new Error(`the function failed: ${invocation.error.errorMessage}`);
      const answer = JSON.stringify(invocation.payload);
      if (answer.includes("error")) throw new Error(`the function reports ${answer}`);
      rows.push([`invocation ${number}`, `${invocation.durationMs.toFixed(1)} ms`, answer]);
    }
    const { exitCode, ms } = await lambda.shutdown();
    rows.push(["shutdown", `${ms.toFixed(1)} ms`, `exit code ${exitCode}`]);
    for (const line of toTableLines([{}, { isRightAligned: true }, {}], rows, { indent: "  " })) say(line);
    say();
    const summary = lambda.logs.map((log) => parseLogLine(log.line)).find((line) => line?.event === "shutdown");
    const reads = `${INVOCATIONS + 1} reads by the function, ${summary?.hits} of them from the cache`;
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

await runCommand("demo", async () => {
  const { values } = parseOptions(argv.slice(2), { help: { type: "boolean" } });
  if (values.help === true) return say(HELP);
  say(paint("bold", `cross-account-secrets ${await readVersion()}`));
  say();
  say("A function in account 222222222222 reads a secret of account 111111111111.");
  say("The layer is the one that `npm run build` makes; Lambda and AWS are fakes on this machine.");
  say();
  await build(["nodejs"], (line) => say(`  built ${line}`));
  say();
  for (const example of exampleFunctions) {
    if (example.version === undefined) say(`${example.language}: not found on this machine, left out\n`);
    else await show(example);
  }
});
