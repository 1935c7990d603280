import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { type Bench, startBench } from "../support/bench.ts";
import { ask, conform, type ExpectedAnswer, refused, shareBench, TOKEN } from "../support/conformance.ts";
import { answers } from "../support/conformance-secrets.ts";
import { createLimitedLayer } from "../support/temp-files.ts";
import { SECRET_NAME } from "../support/two-accounts.ts";

const bench = shareBench({
  environment: { CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "0", CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: "20000" },
});

const group = "ping";
const healthy: ExpectedAnswer = {
  status: 200,
  text: "healthy",
  headers: { "content-type": "text/plain; charset=utf-8" },
};

function row(
  name: string,
  how: { method?: string; headers?: Record<string, string | undefined> },
  expected: ExpectedAnswer,
  target = "/ping",
) {
  answers(bench, () => new Map(), { group, name, asked: [{ target, ...how }], expected });
}

row("with the token", {}, healthy);
row("without a token", { headers: { [TOKEN]: undefined } }, healthy);
row("with a wrong token", { headers: { [TOKEN]: "wrong" } }, healthy);
for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]) {
  row(method, { method }, { ...refused(405, "MethodNotAllowedException"), headers: { allow: "GET, HEAD" } });
}
row("HEAD, as `wget --spider` sends it", { method: "HEAD" }, { ...healthy, text: "" });
row("HEAD, without a token", { method: "HEAD", headers: { [TOKEN]: undefined } }, { ...healthy, text: "" });
row("two leading slashes", {}, healthy, "//ping");
row("Via", { headers: { Via: "1.1 proxy" } }, refused(400, "ValidationException"));
row("X-Forwarded-For", { headers: { "X-Forwarded-For": "192.0.2.1" } }, refused(400, "ValidationException"));

/** Sends this number of requests for the secret, which all wait for a slow AWS. */
function crowd(size: number, delayMs: number, at = bench()) {
  at.aws.heal();
  at.aws.fault("GetSecretValue", { kind: "slow", delayMs });
  return Array.from({ length: size }, () => ask(at, { target: `/v1/${SECRET_NAME}` }));
}

/** Lists each status and how often it came. */
const count = (statuses: readonly number[]): string =>
  [...new Set(statuses)]
    .map((status) => `${statuses.filter((other) => other === status).length} × ${status}`)
    .join(", ");

conform(
  {
    group,
    name: "20 times while 500 requests wait for AWS",
    expected: "20 × 200 healthy, before the first of the 500, which are 500 × 200",
  },
  async (see) => {
    let isAnyAnswered = false;
    const waiting = crowd(500, 2_500).map((request) =>
      request.finally(() => {
        isAnyAnswered = true;
      }),
    );
    await expect.poll(() => bench().aws.count("GetSecretValue"), { timeout: 5_000 }).toBeGreaterThan(1);
    const pings = [];
    for (let nth = 0; nth < 20; nth += 1) pings.push(await ask(bench(), { target: "/ping" }));
    const isBefore = !isAnyAnswered;
    const statuses = (await Promise.all(waiting)).map(({ status }) => status);
    const healthies = pings.filter(({ status, body }) => status === 200 && body === "healthy").length;
    see(
      `${healthies} × 200 healthy, ${isBefore ? "before" : "after"} the first of the 500, which are ${count(statuses)}`,
    );
    expect([healthies, isBefore, count(statuses)]).toEqual([20, true, "500 × 200"]);
  },
);

/** Starts another bench, with this many descriptors for the extension. */
async function startLimited(descriptors: number): Promise<Bench> {
  const limited = await startBench({
    opt: createLimitedLayer(descriptors),
    environment: { CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "0", CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: "20000" },
  });
  await limited.lambda.init();
  return limited;
}

conform(
  {
    group: "both secret routes",
    name: "connection limit with Lambda's 1,024 descriptors: 900 requests wait for AWS, and one more comes",
    expected: "429 TooManyRequestsException for the one more, 900 × 200 for the others",
  },
  async (see) => {
    const limited = await startLimited(1_024);
    const countRead = async () => JSON.parse((await ask(limited, { target: "/stats" })).body).requests;
    const before = await countRead();
    const waiting = crowd(899, 4_000, limited);
    // The connection that asks for the counters is the 900th meanwhile.
    await expect.poll(countRead, { timeout: 3_000, interval: 20 }).toBeGreaterThan(before + 899);
    waiting.push(ask(limited, { target: `/v1/${SECRET_NAME}` }));
    await delay(200);
    const more = await ask(limited, { target: `/v1/${SECRET_NAME}` });
    const statuses = (await Promise.all(waiting)).map(({ status }) => status);
    see(`${more.status} ${JSON.parse(more.body).__type} for the one more, ${count(statuses)} for the others`);
    expect([more.status, JSON.parse(more.body).__type]).toEqual([429, "TooManyRequestsException"]);
    expect(count(statuses)).toBe("900 × 200");
  },
);

conform(
  {
    group: "both secret routes",
    name: "connection limit with the 4,096 descriptors of Managed Instances: 1,500 requests wait for AWS",
    expected: "1500 × 200",
  },
  async (see) => {
    const limited = await startLimited(4_096);
    const statuses = (await Promise.all(crowd(1_500, 3_000, limited))).map(({ status }) => status);
    see(count(statuses));
    expect(count(statuses)).toBe("1500 × 200");
  },
);
