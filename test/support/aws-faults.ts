import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished } from "vitest";
import type { Fault } from "../fakes/aws.ts";
import { type Bench, type LocalAnswer, startBench } from "./bench.ts";
import { createCertificate } from "./certificate.ts";
import { fault } from "./faults.ts";
import { startFront } from "./tcp-front.ts";
import { TARGET_ROLE_ARN } from "./two-accounts.ts";

/** A service of AWS, and when its answer is needed in these tests, counted from the end of init. */
export interface FaultyService {
  readonly name: "STS" | "Secrets Manager";
  readonly operation: "AssumeRole" | "GetSecretValue";
  readonly endpoint: string;
  /** A value needs it from then on, but is still served without it. */
  readonly neededMs: number;
  /** A value is not served without it from then on. */
  readonly staleUntilMs: number;
  readonly environment: Readonly<Record<string, string>>;
  /** Of the role's sessions; undefined: as asked for. */
  readonly sessionLifeSeconds: number | undefined;
}

const TTL = { CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "1" };

export const secretsManager: FaultyService = {
  name: "Secrets Manager",
  operation: "GetSecretValue",
  endpoint: "AWS_ENDPOINT_URL_SECRETS_MANAGER",
  neededMs: 1_050,
  staleUntilMs: 3_050,
  environment: { ...TTL, CROSS_ACCOUNT_SECRETS_MAX_STALE_SECONDS: "2" },
  sessionLifeSeconds: undefined,
};

/** Needed when the role's session is over. */
export const sts: FaultyService = {
  name: "STS",
  operation: "AssumeRole",
  endpoint: "AWS_ENDPOINT_URL_STS",
  neededMs: 2_050,
  staleUntilMs: 4_050,
  environment: { ...TTL, CROSS_ACCOUNT_SECRETS_MAX_STALE_SECONDS: "3" },
  sessionLifeSeconds: 2,
};

interface Trouble {
  readonly what: string;
  /** What the caller gets once nothing is served stale any more. */
  readonly status: number;
  readonly type: string;
}

const troubles: readonly (Trouble & { readonly fault: Fault })[] = [
  {
    what: "answers 500",
    fault: { kind: "error", status: 500, code: "InternalServiceError" },
    status: 502,
    type: "InternalServiceError",
  },
  { what: "throttles", fault: { kind: "throttle" }, status: 429, type: "ThrottlingException" },
  { what: "is a black hole", fault: { kind: "hang" }, status: 504, type: "TimeoutError" },
  { what: "resets the connection", fault: { kind: "reset" }, status: 503, type: "ConnectionError" },
  { what: "resets it in mid-body", fault: { kind: "reset-mid-body" }, status: 503, type: "ConnectionError" },
  { what: "answers byte by byte", fault: { kind: "drip", everyMs: 100 }, status: 504, type: "TimeoutError" },
  { what: "talks nonsense", fault: { kind: "malformed" }, status: 502, type: "ConnectionError" },
];

const cacheStatusOf = ({ headers }: LocalAnswer) =>
  String(headers["cache-status"]).replace("cross-account-secrets; ", "");

/** What a service's trouble does to a running environment: from the first answer without it until it is over. */
async function suffer(
  bench: Bench,
  service: FaultyService,
  trouble: Trouble,
  on: () => void,
  off: () => void,
  see: (seen: string) => void,
) {
  const startedMs = performance.now();
  const untilMs = (ms: number) => delay(Math.max(0, startedMs + ms - performance.now()));
  await untilMs(service.neededMs);
  on();
  const stale = await bench.askForSecret();
  const held = await bench.askForSecret();
  await untilMs(service.staleUntilMs);
  const refused = await bench.askForSecret();
  off();
  const retryAfterSeconds = Number(refused.headers["retry-after"]);
  await delay(retryAfterSeconds * 1_000);
  const back = await bench.askForSecret();
  const type = refused.status === 200 ? "" : JSON.parse(refused.body).__type;
  see(
    `${stale.status} ${cacheStatusOf(stale)}; ${held.status} ${cacheStatusOf(held)}; then ${refused.status} ${type}; after ${retryAfterSeconds} s ${back.status} ${cacheStatusOf(back)}`,
  );
  const { status } = trouble;
  expect([stale.status, cacheStatusOf(stale)]).toEqual([200, `fwd=stale; fwd-status=${status}`]);
  expect([held.status, cacheStatusOf(held)]).toEqual([200, expect.stringMatching(/^hit; ttl=-\d+$/)]);
  expect([refused.status, type]).toEqual([status, trouble.type]);
  expect([back.status, cacheStatusOf(back)]).toEqual([200, "fwd=miss"]);
  for (const { ms } of [stale, held, refused]) expect(ms).toBeLessThan(TIMEOUT_MS + 500);
}

const TIMEOUT_MS = 600;

async function start(
  service: FaultyService,
  environment: Readonly<Record<string, string>> = {},
  prepare = (_: Bench["aws"]) => {},
) {
  const { sessionLifeSeconds } = service;
  const bench = await startBench({
    environment: { CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: String(TIMEOUT_MS), ...service.environment, ...environment },
    prepare: ({ aws }) => {
      aws.changeRole(TARGET_ROLE_ARN, { sessionLifeSeconds });
      prepare(aws);
    },
  });
  await bench.lambda.init();
  return bench;
}

/** A row for each thing that can be wrong with it. */
export function tryEachFault(service: FaultyService): void {
  const group = service.name;
  const on = "layer";
  const toExpected = ({ status, type }: Trouble) =>
    `served stale, then from memory with a negative ttl; past MAX_STALE ${status} ${type}; back after Retry-After`;

  for (const trouble of troubles) {
    fault({ group, on, name: trouble.what, expected: toExpected(trouble) }, async (see) => {
      const bench = await start(service);
      const { aws } = bench;
      await suffer(
        bench,
        service,
        trouble,
        () => aws.fault(service.operation, trouble.fault),
        () => aws.heal(),
        see,
      );
    });
  }

  const untrusted = { what: "shows a certificate that is not trusted", status: 503, type: "ConnectionError" };
  fault({ group, on, name: untrusted.what, expected: toExpected(untrusted) }, async (see) => {
    const [own, foreign] = [createCertificate("own"), createCertificate("foreign")];
    const folder = mkdtempSync(join(tmpdir(), "authority-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const authority = join(folder, "own.pem");
    writeFileSync(authority, own.cert);
    let url = "";
    const front = await startFront(() => url, own);
    const bench = await start(service, { [service.endpoint]: front.url, NODE_EXTRA_CA_CERTS: authority }, (aws) => {
      url = aws.url;
    });
    await suffer(
      bench,
      service,
      untrusted,
      () => front.present(foreign),
      () => front.present(own),
      see,
    );
  });

  fault(
    {
      group,
      on,
      name: "has a name that DNS does not know",
      expected: "503 or 504 within TIMEOUT_MS, Retry-After",
    },
    async (see) => {
      const bench = await start(service, { [service.endpoint]: "http://aws.invalid" });
      const answer = await bench.askForSecret();
      const { __type: type } = JSON.parse(answer.body);
      const retryAfter = answer.headers["retry-after"];
      see(`${answer.status} ${type} after ${Math.round(answer.ms)} ms, Retry-After ${retryAfter}`);
      // Not every resolver answers at once.
      expect(["503 ConnectionError", "504 TimeoutError"]).toContain(`${answer.status} ${type}`);
      expect(answer.ms).toBeLessThan(TIMEOUT_MS + 500);
      expect(Number(retryAfter)).toBeGreaterThanOrEqual(1);
    },
  );
}
