/** Function, extension or invocation end too early. Lambda starts function and extension again in the same environment. */
import { kill } from "node:process";
import { describe, expect } from "vitest";
import { fault, until } from "../support/faults.ts";
import { type Asker, startAsker, toAnswerText } from "./support/asker.ts";
import { unavailable } from "./support/availability.ts";
import { ifAlive } from "./support/process.ts";

const on = "emulator";
/** An init that waited for AWS would take at least this long. */
const STS_MS = 2_000;

const killExtension = ({ sandbox }: Asker) => {
  for (const pid of sandbox.extensionPids()) ifAlive(() => kill(pid, "SIGKILL"));
};

interface EarlyEnd {
  readonly name: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** The answer to the function's caller. */
  readonly callerAnswer: string;
  cause(asker: Asker): Promise<{ readonly status: number; readonly body: string }>;
}

const ends: readonly EarlyEnd[] = [
  {
    name: "the function ends itself with SIGKILL",
    callerAnswer: "502 Runtime.ExitError",
    cause: ({ sandbox }) => sandbox.invoke({ crash: true }),
  },
  {
    name: "the function times out",
    environment: { AWS_LAMBDA_FUNCTION_TIMEOUT: "4" },
    callerAnswer: "200 Task timed out",
    cause: ({ sandbox }) => sandbox.invoke({ sleepSeconds: 30 }),
  },
  {
    name: "the extension gets SIGKILL during an invocation",
    callerAnswer: "502 Extension.Crash",
    async cause(asker) {
      const count = asker.sandbox.logs.length;
      const failed = asker.sandbox.invoke({ sleepSeconds: 30 });
      await until(() => asker.sandbox.logs.slice(count).some(({ text }) => text.includes("INVOKE START")));
      killExtension(asker);
      return failed;
    },
  },
  {
    name: "the extension gets SIGKILL between two invocations",
    callerAnswer: "502 Extension.Crash",
    async cause(asker) {
      killExtension(asker);
      await asker.sandbox.waitForLog(/Process extension-cross-account-secrets-\d+ exited/);
      return asker.sandbox.invoke({ paths: [] });
    },
  },
];

describe.skipIf(unavailable)("under the Runtime Interface Emulator", () => {
  for (const { name, environment, callerAnswer, cause } of ends) {
    fault(
      {
        group: "crash",
        on,
        name,
        expected: "the next invocation starts at once, with a new extension on the same port, and gets the secret",
      },
      async (see) => {
        const asker = await startAsker({
          environment: {
            CROSS_ACCOUNT_SECRETS_PREFETCH_TIMEOUT_MS: "9000",
            CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: "9000",
            ...environment,
          },
        });
        const { aws, sandbox } = asker;
        expect((await asker.askOnce()).status).toBe(200);
        const before = sandbox.extensionPids();
        aws.fault("AssumeRole", { kind: "slow", delayMs: STS_MS });
        const { status, body } = await cause(asker);
        const got = `${status} ${/\w+\.\w+(?=")|Task timed out/.exec(body)}`;
        const next = await sandbox.invoke({ paths: [] });
        const answered = aws.calls.filter(({ operation, outcome }) => operation === "AssumeRole" && outcome === "ok");
        const after = sandbox.extensionPids();
        const answer = await asker.askOnce();
        const wait = answered.length === 1 ? "without waiting for STS" : "after STS";
        see(`${got}; then ${next.status} in ${next.ms.toFixed(0)} ms, ${wait}; ${toAnswerText(answer)}`);
        expect(got).toBe(callerAnswer);
        expect(next.status).toBe(200);
        expect(answered).toHaveLength(1);
        expect(after).toHaveLength(1);
        expect(after).not.toEqual(before);
        expect(answer.status).toBe(200);
      },
    );
  }
});
