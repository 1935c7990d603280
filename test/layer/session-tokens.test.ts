/** Long session tokens. AWS's limit is 4,096 bytes since September 2026, and "not a permanent cap". */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startBench } from "../support/bench.ts";
import { createTempFolder } from "../support/temp-files.ts";
import { FUNCTION_ROLE_ARN, SECRET_NAME, TARGET_ROLE_ARN, toCredentialVariables } from "../support/two-accounts.ts";

const SECRET_PATHS = [
  `/secretsmanager/get?secretId=${SECRET_NAME}&refreshNow=true`,
  `/v1/${SECRET_NAME}`,
  `/secrets/${SECRET_NAME}?key=password`,
];

describe.each([4_096, 8_000])(
  "with session tokens of %d bytes, of the function and of the target role",
  (tokenBytes) => {
    const start = (toToken: (sessionToken: string) => string) =>
      startBench({
        prepare: ({ aws }) => aws.changeRole(TARGET_ROLE_ARN, { sessionTokenBytes: tokenBytes }),
        environment: ({ aws }) => {
          const session = aws.issueSession({ roleArn: FUNCTION_ROLE_ARN, tokenBytes });
          expect(session.sessionToken).toHaveLength(tokenBytes);
          return {
            ...toCredentialVariables(session),
            CROSS_ACCOUNT_SECRETS_SESSION_POLICY: "none",
            CROSS_ACCOUNT_SECRETS_TOKEN: toToken(session.sessionToken),
          };
        },
      });

    it("a secret is fetched, and served to who sends the token, in either header", async () => {
      const bench = await start((token) => token);
      await bench.lambda.init();
      const sessions = bench.aws.listCredentials();
      expect(sessions.map(({ sessionToken }) => sessionToken.length)).toContain(tokenBytes);
      const token = sessions.find(({ sessionToken }) => sessionToken.length === tokenBytes)?.sessionToken ?? "";
      for (const path of SECRET_PATHS) {
        expect((await bench.ask(path)).status).toBe(200);
        const inOther = { "X-Aws-Parameters-Secrets-Token": "", "X-Vault-Token": token };
        expect((await bench.ask(path, { headers: inOther })).status).toBe(200);
        const wrong = { "X-Aws-Parameters-Secrets-Token": `${token.slice(0, -1)}!` };
        expect((await bench.ask(path, { headers: wrong })).status).toBe(403);
      }
    });

    it("a secret of the longest name is served, with every character percent-encoded", async () => {
      const name = "+".repeat(512);
      const bench = await startBench({
        prepare: ({ aws }) => {
          aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: "any" });
          aws.createSecret({ account: "111111111111", region: "eu-west-1", name, secretString: "x" });
        },
        environment: ({ aws }) => ({
          ...toCredentialVariables(aws.issueSession({ roleArn: FUNCTION_ROLE_ARN, tokenBytes })),
          CROSS_ACCOUNT_SECRETS_ALLOW: "any",
        }),
      });
      await bench.lambda.init();
      expect((await bench.ask(`/secrets/${encodeURIComponent(name)}`)).status).toBe(200);
    });

    it("the token may be in a file", async () => {
      const file = join(createTempFolder(), "token");
      const bench = await start((token) => {
        writeFileSync(file, `${token}\n`, { mode: 0o600 });
        return `file://${file}`;
      });
      await bench.lambda.init();
      const [token] = bench.aws
        .listCredentials()
        .flatMap(({ sessionToken }) => (sessionToken.length === tokenBytes ? [sessionToken] : []));
      const headers = { "X-Aws-Parameters-Secrets-Token": token ?? "" };
      expect((await bench.ask(SECRET_PATHS[0] ?? "", { headers })).status).toBe(200);
    });
  },
);

describe("a session token that would exceed AWS's limit", () => {
  it("because of the session policy has no session policy, with one warning", async () => {
    const bench = await startBench({
      prepare: ({ aws }) => aws.changeRole(TARGET_ROLE_ARN, { sessionTokenBytes: 4_000 }),
    });
    await bench.lambda.init();
    expect((await bench.askForSecret()).status).toBe(200);
    const calls = bench.aws.calls.filter(({ operation }) => operation === "AssumeRole");
    expect(calls.map(({ policy, outcome }) => [policy !== undefined, outcome])).toEqual([
      [true, "PackedPolicyTooLarge"],
      [false, "ok"],
    ]);
    expect(bench.events("session-policy-left-out")).toHaveLength(1);
  });
});
