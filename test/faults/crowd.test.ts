/** Lambda gives all of a function's processes 1,024 descriptors each, and its code may ask for a secret a thousand times at once. */
import { chmodSync, cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, onTestFinished } from "vitest";
import { toOpt } from "../../scripts/build/build.ts";
import { startBench } from "../support/bench.ts";
import { fault } from "../support/faults.ts";
import { REGION, TARGET_ROLE_ARN } from "../support/two-accounts.ts";

const REQUESTS = 1_000;
const AT_ONCE = 800;
const DESCRIPTORS = 1_024;
/** The guide's own `my-shared-secret` ends like an ARN, so that AWS knows it by no partial one. */
const NAME = "app/database";

/** The nodejs layer, whose extension may open so many files and sockets. */
function createLimitedOpt(): string {
  const opt = mkdtempSync(join(tmpdir(), "opt-"));
  onTestFinished(() => rmSync(opt, { recursive: true }));
  cpSync(toOpt("nodejs"), opt, { recursive: true });
  const extension = join(opt, "extensions", "cross-account-secrets");
  // The launcher finds its files beside the folder that it is in.
  const inner = join(opt, "cross-account-secrets", "start");
  renameSync(extension, inner);
  writeFileSync(extension, `#!/bin/sh\nulimit -n ${DESCRIPTORS} && exec "${inner}"\n`);
  chmodSync(extension, 0o755);
  return opt;
}

fault(
  {
    group: "crowd",
    on: "layer",
    name: `${REQUESTS} requests in four spellings, ${AT_ONCE} at once, for a secret not yet fetched, ${DESCRIPTORS} descriptors`,
    expected: `one AssumeRole, one GetSecretValue, ${REQUESTS} × 200, one value`,
  },
  async (see) => {
    let arn = "";
    const bench = await startBench({
      opt: createLimitedOpt(),
      // Not even the session is there before the first request, which may come before Node has started.
      environment: {
        CROSS_ACCOUNT_SECRETS_SECRET_IDS: "",
        SECRET_NAME: "",
        CROSS_ACCOUNT_SECRETS_PREFETCH_TIMEOUT_MS: "0",
        CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: "10000",
      },
      prepare: ({ aws, canaries }) => {
        aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: [NAME] });
        arn = aws.createSecret({
          account: "111111111111",
          region: REGION,
          name: NAME,
          secretString: canaries[0] ?? "",
        }).arn;
        aws.fault("AssumeRole", { kind: "slow", delayMs: 200 });
        // Long enough for all of the first eight hundred to come.
        aws.fault("GetSecretValue", { kind: "slow", delayMs: 1_500 });
      },
    });
    await bench.lambda.init();
    const spellings = [NAME, arn, arn.slice(0, -"-AbCdEf".length), `${NAME}&versionStage=AWSCURRENT`];
    const agent = new Agent({ maxSockets: AT_ONCE });
    const headers = { "X-Aws-Parameters-Secrets-Token": bench.environment.AWS_SESSION_TOKEN };
    const ask = (spelling: string) =>
      new Promise<{ status: number | string | undefined; body: string }>((resolve) => {
        const path = `/secretsmanager/get?secretId=${spelling}`;
        const outgoing = request({ host: "127.0.0.1", port: bench.port, path, agent, headers }, (response) => {
          text(response).then((body) => resolve({ status: response.statusCode, body }));
        });
        outgoing.on("error", (error: NodeJS.ErrnoException) => resolve({ status: error.code, body: "" })).end();
      });
    const answers = await Promise.all(
      Array.from({ length: REQUESTS }, (_, nth) => ask(spellings[nth % spellings.length] ?? "")),
    );
    const statuses = [...new Set(answers.map(({ status }) => status))].map(
      (status) => `${answers.filter((answer) => answer.status === status).length} × ${status}`,
    );
    const calls = [bench.aws.count("AssumeRole"), bench.aws.count("GetSecretValue")];
    see(`${calls[0]} AssumeRole, ${calls[1]} GetSecretValue, ${statuses.join(", ")}`);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(REQUESTS);
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
    expect(calls).toEqual([1, 1]);
  },
);
