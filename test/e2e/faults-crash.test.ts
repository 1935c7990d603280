/** Function, extension or invocation end before their time: Lambda starts both anew, in the same place. */
import { kill } from "node:process";
import { describe, expect } from "vitest";
import { fault, until } from "../support/faults.ts";
import { type Asker, startAsker, toText } from "./support/asker.ts";
import { unavailable } from "./support/availability.ts";
import { ifAlive } from "./support/process.ts";

const on = "emulator";
/** Init would not be over in less if it waited for AWS. */
const STS_MS = 2_000;

const killExtension = ({ sandbox }: Asker) => {
  for (const pid of sandbox.extensionPids()) ifAlive(() => kill(pid, "SIGKILL"));
};

interface End {
  readonly name: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** What its caller gets. */
  readonly caller: string;
  bringAbout(asker: Asker): Promise<{ readonly status: number; readonly body: string }>;
}

const ends: readonly End[] = [
  {
    name: "the function ends itself with SIGKILL",
    caller: "502 Runtime.ExitError",
    bringAbout: ({ sandbox }) => sandbox.invoke({ crash: true }),
  },
  {
    name: "the function times out",
    environment: { AWS_LAMBDA_FUNCTION_TIMEOUT: "4" },
    caller: "200 Task timed out",
    bringAbout: ({ sandbox }) => sandbox.invoke({ sleepSeconds: 30 }),
  },
  {
    name: "SIGKILL for the extension in the middle of an invocation",
    caller: "502 Extension.Crash",
    async bringAbout(asker) {
      const count = asker.sandbox.logs.length;
      const failed = asker.sandbox.invoke({ sleepSeconds: 30 });
      await until(() => asker.sandbox.logs.slice(count).some(({ text }) => text.includes("INVOKE START")));
      killExtension(asker);
      return failed;
    },
  },
  {
    name: "SIGKILL for the extension between two invocations",
    caller: "502 Extension.Crash",
    async bringAbout(asker) {
      killExtension(asker);
      await asker.sandbox.waitForLog(/Process extension-cross-account-secrets-\d+ exited/);
      return asker.sandbox.invoke({ paths: [] });
    },
  },
];

describe.skipIf(unavailable)("under the Runtime Interface Emulator", () => {
  for (const { name, environment, caller, bringAbout } of ends) {
    fault(
      {
        group: "crash",
        on,
        name,
        expected: "the next invocation starts at once, on a new extension that got the port, and gets the secret",
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
        const { status, body } = await bringAbout(asker);
        const got = `${status} ${/\w+\.\w+(?=")|Task timed out/.exec(body)}`;
        const next = await sandbox.invoke({ paths: [] });
        const answered = aws.calls.filter(({ operation, outcome }) => operation === "AssumeRole" && outcome === "ok");
        const after = sandbox.extensionPids();
        const answer = await asker.askOnce();
        const wait = answered.length === 1 ? "without waiting for STS" : "after STS";
        see(`${got}; then ${next.status} in ${next.ms.toFixed(0)} ms, ${wait}; ${toText(answer)}`);
        expect(got).toBe(caller);
        expect(next.status).toBe(200);
        expect(answered).toHaveLength(1);
        expect(after).toHaveLength(1);
        expect(after).not.toEqual(before);
        expect(answer.status).toBe(200);
      },
    );
  }
});
