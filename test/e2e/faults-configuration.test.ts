/** Several target roles for one function, and an extension that is switched off. */
import { createServer } from "node:net";
import { describe, expect, onTestFinished } from "vitest";
import { fault } from "../support/faults.ts";
import { createCanary, FUNCTION_ROLE_ARN, REGION, TARGET_ROLE_ARN, type TwoAccounts } from "../support/two-accounts.ts";
import { GET, startAsker, toCounts, toDigest, toText } from "./support/asker.ts";
import { unavailable } from "./support/availability.ts";

const group = "configuration";
const on = "emulator";

describe.skipIf(unavailable)("under the Runtime Interface Emulator", () => {
  fault(
    {
      group,
      on,
      name: "CONFIG with a role in each of two accounts, and the same function",
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
        const alone = { CROSS_ACCOUNT_SECRETS_ROLE_ARN: "", CROSS_ACCOUNT_SECRETS_SECRET_IDS: "" };
        return { ...alone, CROSS_ACCOUNT_SECRETS_CONFIG: JSON.stringify({ sources }) };
      };
      const asker = await startAsker({ prepare, canaries: [canary] });
      const answers = await asker.ask({ paths: [GET, "/secretsmanager/get?secretId=another-secret"] });
      const roles = asker.aws.calls.flatMap(({ operation, roleArn = "" }) =>
        operation === "AssumeRole" ? roleArn : [],
      );
      see(`${answers.map(toText).join(", ")}; ${toCounts(asker)} of ${new Set(roles).size} roles`);
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
      name: "ENABLED=false, and three mistakes beside it",
      expected: "init succeeds, who asks gets 503 Disabled, AWS is not called",
    },
    async (see) => {
      const asker = await startAsker({ environment: off });
      const answer = await asker.askOnce();
      see(`${toText(answer)}; ${toCounts(asker)}`);
      expect(answer).toMatchObject({ status: 503, type: "Disabled" });
      expect(asker.aws.calls).toEqual([]);
      expect(await asker.sandbox.shutdown()).toMatchObject({ exitCode: 0 });
    },
  );

  fault(
    {
      group,
      on,
      name: "ENABLED=false, three mistakes, and a port that another has",
      expected: "init succeeds, the function runs, the log says who does not listen",
    },
    async (see) => {
      const squatter = createServer();
      onTestFinished(() => void squatter.close());
      const asker = await startAsker({ environment: off });
      await new Promise<void>((resolve) => squatter.listen(asker.port, "127.0.0.1", resolve));
      const { status, body, ms } = await asker.sandbox.invoke({ paths: [] });
      // It is tried again for a second, which nobody waits for.
      await asker.sandbox.waitForLog(/"not-listening"/);
      const levels = asker.events("not-listening").map(({ level }) => level);
      see(`${status} in ${ms.toFixed(0)} ms; not-listening: ${levels}`);
      expect([status, body]).toEqual([200, "[]"]);
      expect(levels).toEqual(["warn"]);
      expect(await asker.sandbox.shutdown()).toMatchObject({ exitCode: 0 });
    },
  );
});
