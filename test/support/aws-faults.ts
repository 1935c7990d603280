import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { Fault } from "../fakes/aws.ts";
import { type Bench, type LocalAnswer, startBench } from "./bench.ts";
import { createCertificate } from "./certificate.ts";
import { fault } from "./faults.ts";
import { startFront } from "./tcp-front.ts";
import { writeTempFile } from "./temp-files.ts";
import { TARGET_ROLE_ARN } from "./two-accounts.ts";

/** A service of AWS, and when these tests need its answer, counted from the end of init. */
export interface FaultyService {
  readonly name: "STS" | "Secrets Manager";
  readonly operation: "AssumeRole" | "GetSecretValue";
  readonly endpoint: string;
  /** From then on, the cached value is stale: it is served only if the service fails. */
  readonly neededMs: number;
  /** From then on, no value is served while the service fails. */
  readonly staleUntilMs: number;
  readonly environment: Readonly<Record<string, string>>;
  /** The life of the sessions of the role; undefined: as requested. */
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

/** STS is needed when the session of the role has expired. */
export const sts: FaultyService = {
  name: "STS",
  operation: "AssumeRole",
  endpoint: "AWS_ENDPOINT_URL_STS",
  neededMs: 2_050,
  staleUntilMs: 4_050,
  environment: { ...TTL, CROSS_ACCOUNT_SECRETS_MAX_STALE_SECONDS: "3" },
  sessionLifeSeconds: 2,
};

interface ServiceFault {
  readonly what: string;
  /** The status that the caller gets after MAX_STALE. */
  readonly status: number;
  readonly type: string;
}

const serviceFaults: readonly (ServiceFault & { readonly fault: Fault })[] = [
  {
    what: "answers 500",
    fault: { kind: "error", status: 500, code: "InternalServiceError" },
    status: 502,
    type: "InternalServiceError",
  },
  { what: "throttles", fault: { kind: "throttle" }, status: 429, type: "ThrottlingException" },
  { what: "never answers", fault: { kind: "hang" }, status: 504, type: "TimeoutError" },
  { what: "resets the connection", fault: { kind: "reset" }, status: 503, type: "ConnectionError" },
  {
    what: "resets the connection in mid-body",
    fault: { kind: "reset-mid-body" },
    status: 503,
    type: "ConnectionError",
  },
  { what: "answers byte by byte", fault: { kind: "drip", everyMs: 100 }, status: 504, type: "TimeoutError" },
  { what: "answers with malformed data", fault: { kind: "malformed" }, status: 502, type: "ConnectionError" },
];

const cacheStatusOf = ({ headers }: LocalAnswer) =>
  String(headers["cache-status"]).replace("cross-account-secrets; ", "");

/** Makes a service fail for a running environment, from the first answer without it until it works again. */
async function runThroughFault(
  bench: Bench,
  service: FaultyService,
  serviceFault: ServiceFault,
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
  const { status } = serviceFault;
  expect([stale.status, cacheStatusOf(stale)]).toEqual([200, `fwd=stale; fwd-status=${status}`]);
  expect([held.status, cacheStatusOf(held)]).toEqual([200, expect.stringMatching(/^hit; ttl=-\d+$/)]);
  expect([refused.status, type]).toEqual([status, serviceFault.type]);
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

/** Defines a row for each fault of a service. */
export function tryEachFault(service: FaultyService): void {
  const group = service.name;
  const on = "layer";
  const toExpected = ({ status, type }: ServiceFault) =>
    `served stale, then from memory with a negative ttl; after MAX_STALE ${status} ${type}; served again after Retry-After`;

  for (const serviceFault of serviceFaults) {
    fault({ group, on, name: serviceFault.what, expected: toExpected(serviceFault) }, async (see) => {
      const bench = await start(service);
      const { aws } = bench;
      await runThroughFault(
        bench,
        service,
        serviceFault,
        () => aws.fault(service.operation, serviceFault.fault),
        () => aws.heal(),
        see,
      );
    });
  }

  const untrusted = { what: "presents a certificate that is not trusted", status: 503, type: "ConnectionError" };
  fault({ group, on, name: untrusted.what, expected: toExpected(untrusted) }, async (see) => {
    const [own, foreign] = [createCertificate("own"), createCertificate("foreign")];
    const authority = writeTempFile(own.cert);
    let url = "";
    const front = await startFront(() => url, own);
    const bench = await start(service, { [service.endpoint]: front.url, NODE_EXTRA_CA_CERTS: authority }, (aws) => {
      url = aws.url;
    });
    await runThroughFault(
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
      name: "has an endpoint whose name DNS does not know",
      expected: "503 or 504 within TIMEOUT_MS, Retry-After",
    },
    async (see) => {
      const bench = await start(service, { [service.endpoint]: "http://aws.invalid" });
      const answer = await bench.askForSecret();
      const { __type: type } = JSON.parse(answer.body);
      const retryAfter = answer.headers["retry-after"];
      see(`${answer.status} ${type} after ${Math.round(answer.ms)} ms, Retry-After ${retryAfter}`);
      // Some resolvers need longer than the deadline to say that a name is unknown.
      expect(["503 ConnectionError", "504 TimeoutError"]).toContain(`${answer.status} ${type}`);
      expect(answer.ms).toBeLessThan(TIMEOUT_MS + 500);
      expect(Number(retryAfter)).toBeGreaterThanOrEqual(1);
    },
  );
}
