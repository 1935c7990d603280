/** Several target roles for one function, and an extension that is disabled. */
import { createServer } from "node:net";
import { describe, expect, onTestFinished } from "vitest";
import { fault } from "../support/faults.ts";
import {
  createCanary,
  FUNCTION_ROLE_ARN,
  REGION,
  SECRET_PATH,
  TARGET_ROLE_ARN,
  type TwoAccounts,
} from "../support/two-accounts.ts";
import { startAsker, toAnswerText, toCallCounts, toDigest } from "./support/asker.ts";
import { unavailable } from "./support/availability.ts";

const group = "configuration";
const on = "emulator";

describe.skipIf(unavailable)("under the Runtime Interface Emulator", () => {
  fault(
    {
      group,
      on,
      name: "CONFIG with roles in two accounts for one function",
      expected: "both secrets are read, each role is assumed once",
    },
    async (see) => {
      const account = "333333333333";
      const roleArn = `arn:aws:iam::${account}:role/AnotherReader`;
      const canary = createCanary();
      const prepare = ({ aws }: TwoAccounts) => {
        aws.changeRole(FUNCTION_ROLE_ARN, { assumableRoles: [TARGET_ROLE_ARN, roleArn] });
        aws.createRole({ arn: roleArn, trusts: [FUNCTION_ROLE_ARN], readableSecrets: ["another-secret"] });
        aws.createSecret({ account, region: REGION, name: "another-secret", secretString: canary });
        const sources = [
          { roleArn: TARGET_ROLE_ARN, secretIds: ["my-shared-secret"] },
          { roleArn, secretIds: ["another-secret"] },
        ];
        const unset = { CROSS_ACCOUNT_SECRETS_ROLE_ARN: "", CROSS_ACCOUNT_SECRETS_SECRET_IDS: "" };
        return { ...unset, CROSS_ACCOUNT_SECRETS_CONFIG: JSON.stringify({ sources }) };
      };
      const asker = await startAsker({ prepare, canaries: [canary] });
      const answers = await asker.ask({ paths: [SECRET_PATH, "/secretsmanager/get?secretId=another-secret"] });
      const roles = asker.aws.calls.flatMap(({ operation, roleArn = "" }) =>
        operation === "AssumeRole" ? roleArn : [],
      );
      see(`${answers.map(toAnswerText).join(", ")}; ${toCallCounts(asker)} of ${new Set(roles).size} roles`);
      expect(answers).toMatchObject([{ status: 200 }, { status: 200, digest: toDigest(canary) }]);
      expect(roles.toSorted()).toEqual([TARGET_ROLE_ARN, roleArn].toSorted());
    },
  );

  const off = {
    CROSS_ACCOUNT_SECRETS_ENABLED: "false",
    CROSS_ACCOUNT_SECRETS_ROLE_ARN: "not a role",
    CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "5m",
    CROSS_ACCOUNT_SECRETS_TIMEOUT_M: "2500",
  };
  fault(
    {
      group,
      on,
      name: "ENABLED=false, with three mistakes in other variables",
      expected: "init succeeds, a request gets 503 Disabled, AWS is not called",
    },
    async (see) => {
      const asker = await startAsker({ environment: off });
      const answer = await asker.askOnce();
      see(`${toAnswerText(answer)}; ${toCallCounts(asker)}`);
      expect(answer).toMatchObject({ status: 503, type: "Disabled" });
      expect(asker.aws.calls).toEqual([]);
      expect(await asker.sandbox.shutdown()).toMatchObject({ exitCode: 0 });
    },
  );

  fault(
    {
      group,
      on,
      name: "ENABLED=false, with three mistakes, and a port that another program uses",
      expected: "init succeeds, the function runs, the log says that the extension does not listen",
    },
    async (see) => {
      const occupant = createServer();
      onTestFinished(() => void occupant.close());
      const asker = await startAsker({ environment: off });
      await new Promise<void>((resolve) => occupant.listen(asker.port, "127.0.0.1", resolve));
      const { status, body, ms } = await asker.sandbox.invoke({ paths: [] });
      // The extension retries for a second. The function does not wait for it.
      await asker.sandbox.waitForLog(/"not-listening"/);
      const levels = asker.events("not-listening").map(({ level }) => level);
      see(`${status} in ${ms.toFixed(0)} ms; not-listening: ${levels}`);
      expect([status, body]).toEqual([200, "[]"]);
      expect(levels).toEqual(["warn"]);
      expect(await asker.sandbox.shutdown()).toMatchObject({ exitCode: 0 });
    },
  );
});
