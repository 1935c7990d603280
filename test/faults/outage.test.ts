/** AWS fails for a while, and a function reads all the time. */
import dns from "node:dns";
import { expect, onTestFinished, vi } from "vitest";
import type { AwsOperation } from "../fakes/aws.ts";
import { startBench } from "../support/bench.ts";
import { createFaultRows } from "../support/faults.ts";
import { SECRET_PATH, TARGET_ROLE_ARN } from "../support/two-accounts.ts";
import { startVirtualBench, type VirtualBench } from "../support/virtual-bench.ts";

const row = createFaultRows("outage", "virtual clock");
const layerRow = createFaultRows("outage", "layer");
const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOST = "aws.example";
/** The longest that an outage is remembered. */
const LONGEST_PAUSE_MS = 15 * SECOND_MS;

/** Reads once a second for this time, and counts the answers by status and Cache-Status. */
async function readOn(bench: VirtualBench, spanMs: number) {
  const statuses = new Map<string, number>();
  for (const untilMs = bench.elapsedMs() + spanMs; bench.elapsedMs() < untilMs; bench.pass(SECOND_MS)) {
    const { status, headers } = await bench.askForSecret();
    const how =
      `${status} ${String(headers["Cache-Status"] ?? "").replace(/^[^;]+; |; (ttl|fwd-status)=.*$/g, "")}`.trim();
    statuses.set(how, (statuses.get(how) ?? 0) + 1);
  }
  return statuses;
}

/** Reads until a value comes from AWS again, and returns the time that passed. */
async function untilFetched(bench: VirtualBench): Promise<number> {
  const startMs = bench.elapsedMs();
  const calls = () =>
    bench.aws.calls.filter(({ operation, outcome }) => operation === "GetSecretValue" && outcome === "ok").length;
  const before = calls();
  for (;;) {
    await bench.askForSecret();
    const passedMs = bench.elapsedMs() - startMs;
    if (calls() > before) return passedMs;
    if (passedMs > 10 * MINUTE_MS) throw new Error("no value came from AWS");
    bench.pass(SECOND_MS);
  }
}

const tell = (statuses: ReadonlyMap<string, number>) =>
  [...statuses].map(([how, times]) => `${times} × ${how}`).join(", ");

for (const operation of ["AssumeRole", "GetSecretValue"] as const satisfies AwsOperation[]) {
  for (const [what, isHeld] of [
    ["a value cached", true],
    ["nothing cached", false],
  ] as const) {
    const expected = `${isHeld ? "every read is served" : "502 with Retry-After"}; at last one try every 7.5 to 15 s; served again within 15 s`;
    row(`${operation} answers 500 for 10 min, ${what}`, expected, async (see) => {
      const bench = await startVirtualBench();
      const { aws } = bench;
      if (isHeld) {
        // The session and the value expire together, so that both services are needed.
        aws.changeRole(TARGET_ROLE_ARN, { sessionLifeSeconds: 300 });
        await bench.askForSecret();
        bench.pass(5 * MINUTE_MS);
      }
      aws.fault(operation, { kind: "error", status: 500, code: "InternalFailure" });
      const statuses = await readOn(bench, 10 * MINUTE_MS);
      const { headers } = await bench.askForSecret();
      const failed = aws.calls.filter(({ outcome }) => outcome === "InternalFailure").length;
      aws.heal();
      const backMs = await untilFetched(bench);
      see(`${tell(statuses)}; ${failed} calls failed; served again after ${Math.round(backMs / SECOND_MS)} s`);
      const isRight = (how: string) => (isHeld ? how.startsWith("200") : how.startsWith("502"));
      expect([...statuses.keys()].filter((how) => !isRight(how))).toEqual([]);
      if (!isHeld) expect(Number(headers["Retry-After"])).toBeGreaterThanOrEqual(1);
      // Three tries at first, then one after each pause. The pauses double from at most half a second to 7.5 to 15 s.
      expect(failed).toBeLessThanOrEqual(3 + 6 + 600 / 7.5);
      expect(backMs).toBeLessThan(LONGEST_PAUSE_MS + 2 * SECOND_MS);
    });
  }

  const service = operation === "AssumeRole" ? "STS" : "SECRETS_MANAGER";
  row(
    `DNS no longer knows the name of ${operation}'s endpoint`,
    "served stale for MAX_STALE (60 min), then 503; served again within 15 s",
    async (see) => {
      let isKnown = true;
      const { lookup } = dns;
      vi.spyOn(dns, "lookup").mockImplementation(((name: string, ...rest: unknown[]) => {
        const callback = rest.at(-1) as (...args: unknown[]) => void;
        if (name !== HOST) Reflect.apply(lookup, dns, [name, ...rest]);
        else if (!isKnown) callback(Object.assign(new Error("no such name"), { code: "ENOTFOUND" }));
        else if ((rest[0] as { all?: boolean }).all) callback(null, [{ address: "127.0.0.1", family: 4 }]);
        else callback(null, "127.0.0.1", 4);
      }) as typeof dns.lookup);
      onTestFinished(() => void vi.restoreAllMocks());
      const bench = await startVirtualBench({}, 0, (url) => ({
        [`AWS_ENDPOINT_URL_${service}`]: url.replace("127.0.0.1", HOST),
      }));
      bench.aws.changeRole(TARGET_ROLE_ARN, { sessionLifeSeconds: 300 });
      await bench.askForSecret();
      bench.pass(5 * MINUTE_MS);
      isKnown = false;
      const stale = await readOn(bench, 10 * MINUTE_MS);
      bench.pass(50 * MINUTE_MS);
      const refused = await bench.askForSecret();
      isKnown = true;
      const backMs = await untilFetched(bench);
      see(`${tell(stale)}; an hour later ${refused.status}; served again after ${Math.round(backMs / SECOND_MS)} s`);
      expect([...stale.keys()].filter((how) => !how.startsWith("200"))).toEqual([]);
      expect(refused.status).toBe(503);
      expect(backMs).toBeLessThan(LONGEST_PAUSE_MS + 2 * SECOND_MS);
    },
  );
}

for (const aheadMs of [15, -15, 120, -120].map((minutes) => minutes * MINUTE_MS)) {
  const minutes = `${Math.abs(aheadMs) / MINUTE_MS} min ${aheadMs > 0 ? "ahead" : "behind"}`;
  layerRow(
    `AWS's clock is ${minutes}`,
    "200 in init and after the TTL; at most one call is made twice",
    async (see) => {
      const bench = await startBench({
        now: () => Date.now() + aheadMs,
        environment: { CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "1" },
      });
      await bench.lambda.init();
      const statuses: number[] = [];
      for (let nth = 0; nth < 2; nth += 1) {
        statuses.push((await bench.ask(SECRET_PATH)).status);
        await new Promise((resolve) => setTimeout(resolve, 1_050));
      }
      const outcomes = bench.aws.calls.map(({ operation, outcome }) => `${operation} ${outcome}`);
      see(`${statuses.join(", ")}; ${outcomes.join(", ")}`);
      expect(statuses).toEqual([200, 200]);
      expect(outcomes.filter((outcome) => !outcome.endsWith(" ok")).length).toBeLessThanOrEqual(1);
      expect(bench.aws.count("AssumeRole")).toBeLessThanOrEqual(2);
    },
  );
}
