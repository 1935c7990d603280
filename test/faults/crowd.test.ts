/** Lambda allows each process of a function 1,024 descriptors, and a function may request a secret a thousand times at once. */
import { Agent, request } from "node:http";
import { text } from "node:stream/consumers";
import { expect } from "vitest";
import { startBench } from "../support/bench.ts";
import { fault } from "../support/faults.ts";
import { createLimitedLayer } from "../support/temp-files.ts";
import { IN_TARGET_ACCOUNT, TARGET_ROLE_ARN } from "../support/two-accounts.ts";

const REQUESTS = 1_000;
const AT_ONCE = 800;
const DESCRIPTORS = 1_024;
/** AWS does not find `my-shared-secret` by a partial ARN, because that name ends like the suffix of an ARN. */
const NAME = "app/database";

fault(
  {
    group: "crowd",
    on: "layer",
    name: `${REQUESTS} requests in three spellings, ${AT_ONCE} at once, for a secret not yet fetched, ${DESCRIPTORS} descriptors`,
    expected: `one AssumeRole, one GetSecretValue, ${REQUESTS} × 200, one value`,
  },
  async (see) => {
    let arn = "";
    const bench = await startBench({
      opt: createLimitedLayer(DESCRIPTORS),
      // Nothing is fetched before the first request, not even a session. The request may come before Node has started.
      environment: {
        CROSS_ACCOUNT_SECRETS_SECRET_IDS: "",
        SECRET_NAME: "",
        CROSS_ACCOUNT_SECRETS_PREFETCH_TIMEOUT_MS: "0",
        CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: "10000",
      },
      prepare: ({ aws, canaries }) => {
        aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: [NAME] });
        arn = aws.createSecret({
          ...IN_TARGET_ACCOUNT,
          name: NAME,
          secretString: canaries[0] ?? "",
        }).arn;
        aws.fault("AssumeRole", { kind: "slow", delayMs: 200 });
        // Long enough for the first eight hundred requests to arrive.
        aws.fault("GetSecretValue", { kind: "slow", delayMs: 1_500 });
      },
    });
    await bench.lambda.init();
    const spellings = [NAME, arn, arn.slice(0, -"-AbCdEf".length)];
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
