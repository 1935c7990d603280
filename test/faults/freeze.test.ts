/** Lambda freezes every process between two invocations, sometimes for hours. Here SIGSTOP freezes it, and AWS's clock goes on. */
import { Agent, request } from "node:http";
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished } from "vitest";
import type { Fault } from "../fakes/aws.ts";
import { type Bench, type BenchOptions, type LocalAnswer, startBench } from "../support/bench.ts";
import { createFaultRows, until } from "../support/faults.ts";
import { startFront, startJammedFront, type TcpFront } from "../support/tcp-front.ts";
import { SECRET_PATH, TARGET_ROLE_ARN, type TwoAccounts } from "../support/two-accounts.ts";

const row = createFaultRows("freeze", "layer");
const TIMEOUT_MS = 1_000;
const FREEZE_MS = 1_400;
/** Tolerance for a processor that other programs use too. */
const MARGIN_MS = 700;
const AHEAD_MS = 20 * 60_000;

interface Freezable {
  readonly bench: Bench;
  /** The proxy on the way to both services. */
  readonly front: TcpFront;
  /** Puts AWS's clock forward, as if a freeze had been that long. */
  passAtAws(ms: number): void;
}

async function startFreezable({ prepare, environment, ...options }: BenchOptions = {}): Promise<Freezable> {
  let aheadMs = 0;
  let url = "";
  const front = await startFront(() => url);
  const bench = await startBench({
    ...options,
    now: () => Date.now() + aheadMs,
    prepare: (accounts) => {
      url = accounts.aws.url;
      prepare?.(accounts);
    },
    environment: {
      CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: String(TIMEOUT_MS),
      AWS_ENDPOINT_URL_STS: front.url,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: front.url,
      ...environment,
    },
  });
  return {
    bench,
    front,
    passAtAws(ms) {
      aheadMs += ms;
    },
  };
}

/** Init fetches the session, but no secret. */
const UNFETCHED = { CROSS_ACCOUNT_SECRETS_SECRET_IDS: "", SECRET_NAME: "" };
/** Init does not fetch the session either: STS fails in all three tries. */
const failInInit = ({ aws }: TwoAccounts) =>
  aws.fault("AssumeRole", { kind: "error", status: 500, code: "InternalFailure" }, { times: 3 });

/** A failed AssumeRole is remembered for up to a fifth of a second. */
const untilForgotten = () => delay(300);

async function freeze({ lambda }: Bench, meanwhile: () => unknown, ms = FREEZE_MS): Promise<number> {
  lambda.kill("extension", "SIGSTOP");
  try {
    await meanwhile();
    await delay(ms);
  } finally {
    lambda.kill("extension", "SIGCONT");
  }
  return performance.now();
}

const ask = (bench: Bench, path = SECRET_PATH): Promise<Pick<LocalAnswer, "status" | "headers" | "body">> =>
  bench.ask(path).catch((error: NodeJS.ErrnoException) => ({ status: 0, headers: {}, body: error.code ?? "" }));

/** Sends a request, freezes the extension after `when`, and returns what the caller got. */
async function askOverFreeze(bench: Bench, when: () => Promise<void>, meanwhile: () => unknown = () => {}) {
  const calls = bench.aws.calls.length;
  const asked = ask(bench);
  await when();
  const thawedMs = await freeze(bench, meanwhile);
  const answer = await asked;
  const ms = performance.now() - thawedMs;
  const outcomes = bench.aws.calls.slice(calls).map(({ operation, outcome }) => `${operation} ${outcome}`);
  const type = answer.status === 200 ? "" : ` ${/"__type":"(\w+)"/.exec(answer.body)?.[1] ?? answer.body}`;
  return {
    answer,
    ms,
    seen: `${answer.status}${type} ${Math.round(ms)} ms after the thaw; ${outcomes.join(", ")}`,
  };
}

const RIGHT = `200 within TIMEOUT_MS (${TIMEOUT_MS}) of the thaw`;

function expectRight({ answer, ms }: { answer: Pick<LocalAnswer, "status" | "body">; ms: number }, bench: Bench): void {
  expect(answer).toMatchObject({ status: 200 });
  expect(JSON.parse(answer.body)).toMatchObject({ ARN: bench.secretArn });
  expect(ms).toBeLessThan(TIMEOUT_MS + MARGIN_MS);
}

const underWay: readonly (readonly [what: string, Fault, meanwhile: (freezable: Freezable) => void])[] = [
  ["answered during the freeze", { kind: "slow", delayMs: 300 }, () => {}],
  ["its connection ended by the peer", { kind: "hang" }, ({ front }) => front.endConnections()],
  [
    "its connection dropped silently, thawed 20 min later",
    { kind: "slow", delayMs: 500 },
    ({ front, passAtAws }) => {
      front.swallow();
      passAtAws(AHEAD_MS);
    },
  ],
];

for (const [operation, service] of [
  ["AssumeRole", "STS"],
  ["GetSecretValue", "SECRETS_MANAGER"],
] as const) {
  const prepare = operation === "AssumeRole" ? failInInit : () => {};

  const unsent = `${operation} signed and not yet sent, thawed 20 min later`;
  row(unsent, RIGHT, async (see) => {
    const jammed = await startJammedFront();
    const { bench, passAtAws } = await startFreezable({
      environment: { ...UNFETCHED, [`AWS_ENDPOINT_URL_${service}`]: jammed.url },
    });
    await bench.lambda.init();
    await untilForgotten();
    const over = await askOverFreeze(bench, jammed.untilClientWaits, () => {
      passAtAws(AHEAD_MS);
      jammed.clear(bench.aws.url);
    });
    see(over.seen);
    expectRight(over, bench);
  });

  for (const [what, reason, meanwhile] of underWay) {
    row(`${operation} under way, ${what}`, RIGHT, async (see) => {
      const freezable = await startFreezable({ environment: UNFETCHED, prepare });
      const { bench } = freezable;
      await bench.lambda.init();
      await untilForgotten();
      bench.aws.fault(operation, reason, { times: 1 });
      const calls = bench.aws.count(operation);
      const isCalled = () => until(() => bench.aws.count(operation) > calls);
      const over = await askOverFreeze(bench, isCalled, () => meanwhile(freezable));
      see(over.seen);
      expectRight(over, bench);
    });
  }
}

row("a hundred callers wait for one GetSecretValue when the freeze comes", `100 × ${RIGHT}`, async (see) => {
  const { bench } = await startFreezable({
    environment: UNFETCHED,
    prepare: ({ aws }) => aws.fault("GetSecretValue", { kind: "hang" }, { times: 1 }),
  });
  await bench.lambda.init();
  const asked = Array.from({ length: 100 }, () => ask(bench));
  await until(() => bench.aws.count("GetSecretValue") === 1);
  await delay(100);
  const thawedMs = await freeze(bench, () => {});
  const answers = await Promise.all(asked);
  const ms = performance.now() - thawedMs;
  const good = answers.filter(({ status }) => status === 200);
  see(`${good.length} × 200 after ${Math.round(ms)} ms, ${bench.aws.count("GetSecretValue")} GetSecretValue`);
  expect(good).toHaveLength(100);
  expect(ms).toBeLessThan(TIMEOUT_MS + MARGIN_MS);
  expect(bench.aws.count("GetSecretValue")).toBeLessThanOrEqual(3);
});

for (const [how, path] of [
  ["a request", SECRET_PATH],
  ["refreshNow", `${SECRET_PATH}&refreshNow=true`],
] as const) {
  row(
    `${how} waits for GetSecretValue when the freeze comes, the next one comes right after the thaw`,
    `2 × ${RIGHT}`,
    async (see) => {
      const { bench } = await startFreezable({
        environment: UNFETCHED,
        prepare: ({ aws }) => aws.fault("GetSecretValue", { kind: "hang" }, { times: 1 }),
      });
      await bench.lambda.init();
      const frozen = ask(bench, path);
      await until(() => bench.aws.count("GetSecretValue") === 1);
      await delay(100);
      const thawedMs = await freeze(bench, () => {});
      const next = await ask(bench);
      const ms = performance.now() - thawedMs;
      const statuses = [(await frozen).status, next.status];
      see(`${statuses.join(" and ")}, the next one ${Math.round(ms)} ms after the thaw`);
      expect(statuses).toEqual([200, 200]);
      expect(performance.now() - thawedMs).toBeLessThan(TIMEOUT_MS + MARGIN_MS);
    },
  );
}

row("idle connections to AWS ended by the peer during the freeze", "no idle connection is kept; 200", async (see) => {
  const { bench, front, passAtAws } = await startFreezable();
  await bench.lambda.init();
  await delay(50);
  const idle = front.count();
  await freeze(bench, () => {
    front.endConnections();
    passAtAws(AHEAD_MS);
  });
  const answer = await ask(bench, `${SECRET_PATH}&refreshNow=true`);
  see(`${idle} idle connections; ${answer.status}`);
  expect([idle, answer.status]).toEqual([0, 200]);
});

row("a pooled local connection, idle over a freeze of 6 s", "200 on the same connection, no reset", async (see) => {
  const { bench } = await startFreezable();
  await bench.lambda.init();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const headers = { "X-Aws-Parameters-Secrets-Token": bench.environment.AWS_SESSION_TOKEN };
  const askPooled = () =>
    new Promise<{ status: number | undefined; socket: Socket; isReused: boolean }>((resolve, reject) => {
      const outgoing = request(
        { host: "127.0.0.1", port: bench.port, path: SECRET_PATH, agent, headers },
        (response) => {
          const { statusCode: status, socket } = response;
          text(response).then(() => resolve({ status, socket, isReused: outgoing.reusedSocket }), reject);
        },
      );
      outgoing.on("error", reject).end();
    });
  const before = await askPooled();
  await freeze(bench, () => {}, 6_000);
  // The server gets the time to close a connection that it considers idle for too long.
  await delay(100);
  const after = await askPooled();
  see(`${before.status}, ${after.status} on ${after.socket === before.socket ? "the same" : "another"} connection`);
  expect(after).toMatchObject({ status: 200, isReused: true });
  expect(after.socket).toBe(before.socket);
});

row("a freeze longer than the TTL, with a rotation meanwhile", "200, the new version, fwd=miss", async (see) => {
  const { bench } = await startFreezable({ environment: { CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "1" } });
  await bench.lambda.init();
  let versionId = "";
  await freeze(bench, () => {
    versionId = bench.aws.putSecretValue(bench.secretArn, { secretString: bench.canaries[0] ?? "" }).versionId;
  });
  const answer = await ask(bench);
  const isNew = JSON.parse(answer.body).VersionId === versionId;
  see(`${answer.status}, the ${isNew ? "new" : "old"} version, ${answer.headers["cache-status"]}`);
  expect([answer.status, isNew]).toEqual([200, true]);
  expect(answer.headers["cache-status"]).toContain("fwd=miss");
});

row("a freeze longer than the life of the role's session", "200 after one more AssumeRole", async (see) => {
  const { bench } = await startFreezable({
    environment: { CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "1" },
    prepare: ({ aws }) => aws.changeRole(TARGET_ROLE_ARN, { sessionLifeSeconds: 2 }),
  });
  await bench.lambda.init();
  await freeze(bench, () => {}, 2_500);
  const answer = await ask(bench);
  see(`${answer.status}, ${bench.aws.count("AssumeRole")} AssumeRole in all`);
  expect([answer.status, bench.aws.count("AssumeRole")]).toEqual([200, 2]);
});

row("many freezes, one after another, each in the middle of a refresh", "200 after each", async (see) => {
  const { bench } = await startFreezable({ environment: { CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "1" } });
  await bench.lambda.init();
  bench.aws.fault("GetSecretValue", { kind: "slow", delayMs: 150 });
  const statuses: number[] = [];
  for (let nth = 0; nth < 3; nth += 1) {
    await delay(1_050);
    const calls = bench.aws.count("GetSecretValue");
    const asked = ask(bench);
    await until(() => bench.aws.count("GetSecretValue") > calls);
    await freeze(bench, () => {}, 1_200);
    statuses.push((await asked).status);
  }
  see(statuses.join(", "));
  expect(statuses).toEqual([200, 200, 200]);
});
