/** A wall clock that jumps or is wrong: it decides the age of values and the signature of calls. */
import { expect } from "vitest";
import { createFaultRows } from "../support/faults.ts";
import { createCanary } from "../support/two-accounts.ts";
import { startVirtualBench, type VirtualAnswer, type VirtualBench } from "../support/virtual-bench.ts";

const row = createFaultRows("wall clock", "virtual clock");
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const TTL_MS = 5 * MINUTE_MS;
const MAX_STALE_MS = HOUR_MS;
const FAILS = { kind: "error", status: 500, code: "InternalServiceError" } as const;

const versionOf = ({ body }: VirtualAnswer) => JSON.parse(body).VersionId;
const statusOf = ({ status, headers }: VirtualAnswer) =>
  `${status} ${String(headers["Cache-Status"] ?? "").replace("cross-account-secrets; ", "")}`.trim();
const rotate = ({ aws, secretArn }: VirtualBench) =>
  aws.putSecretValue(secretArn, { secretString: createCanary() }).versionId;
const toMinutes = (ms: number) => `${Math.round(ms / MINUTE_MS)} min`;

/**
 * Reads once a minute for this span of true time. Returns the number of reads, how many failed, and how old the oldest value
 * was. The age of a value counts from its first read here.
 */
async function readOn(bench: VirtualBench, spanMs: number) {
  const seenAtMs = new Map<string, number>();
  const result = { reads: 0, refused: 0, oldestMs: 0 };
  for (const untilMs = bench.elapsedMs() + spanMs; bench.elapsedMs() < untilMs; bench.pass(MINUTE_MS)) {
    const calls = bench.aws.count("GetSecretValue");
    const answer = await bench.askForSecret();
    result.reads += 1;
    if (answer.status !== 200) result.refused += 1;
    else {
      const version = versionOf(answer);
      if (!seenAtMs.has(version)) seenAtMs.set(version, bench.elapsedMs());
      result.oldestMs = Math.max(result.oldestMs, bench.elapsedMs() - (seenAtMs.get(version) ?? 0));
    }
    // AWS gives a new version for each fetch, so that the version shows when a value was fetched.
    if (bench.aws.count("GetSecretValue") > calls) rotate(bench);
  }
  return result;
}

for (const byMs of [2 * HOUR_MS, 30 * 24 * HOUR_MS]) {
  const name = `${byMs / HOUR_MS} h forward`;
  row(name, "fetched again with a new session, not served from memory", async (see) => {
    const bench = await startVirtualBench();
    await bench.askForSecret();
    const versionId = rotate(bench);
    bench.setClock(byMs);
    const answer = await bench.askForSecret();
    const assumed = bench.aws.count("AssumeRole");
    see(
      `${statusOf(answer)}, the ${versionOf(answer) === versionId ? "new" : "old"} version, ${assumed} AssumeRole in all`,
    );
    expect(statusOf(answer)).toBe("200 fwd=miss");
    expect(versionOf(answer)).toBe(versionId);
    // A call that is signed with the wrong time is made again.
    expect([2, 3]).toContain(assumed);
  });
}

row("2 h forward, beyond TTL + MAX_STALE, and AWS fails", "502, nothing is served", async (see) => {
  const bench = await startVirtualBench();
  await bench.askForSecret();
  bench.aws.fault("GetSecretValue", FAILS);
  bench.setClock(2 * HOUR_MS);
  const answer = await bench.askForSecret();
  see(statusOf(answer));
  expect(answer.status).toBe(502);
});

row("no step, and AWS fails for three hours", "served, but not beyond TTL + MAX_STALE (65 min)", async (see) => {
  const bench = await startVirtualBench();
  await bench.askForSecret();
  bench.aws.fault("GetSecretValue", FAILS);
  const { reads, refused, oldestMs } = await readOn(bench, 3 * HOUR_MS);
  see(`oldest ${toMinutes(oldestMs)}; ${refused} of ${reads} reads refused`);
  expect(oldestMs).toBeLessThan(TTL_MS + MAX_STALE_MS);
  expect(oldestMs).toBeGreaterThan(MAX_STALE_MS);
  expect(refused).toBeGreaterThan(100);
});

for (const byMs of [10_000, HOUR_MS, 30 * 24 * HOUR_MS]) {
  const back = byMs < HOUR_MS ? `${byMs / 1_000} s` : `${byMs / HOUR_MS} h`;

  row(
    `${back} back, then three hours`,
    "nothing is older than the TTL; AssumeRole ≤ 1 + ⌈3 h ÷ 54 min⌉",
    async (see) => {
      const bench = await startVirtualBench();
      await bench.askForSecret();
      bench.pass(MINUTE_MS);
      rotate(bench);
      const before = bench.aws.calls.length;
      bench.setClock(-byMs);
      const { reads, refused, oldestMs } = await readOn(bench, 3 * HOUR_MS);
      const calls = bench.aws.calls.slice(before);
      const assumed = calls.filter(({ operation }) => operation === "AssumeRole").length;
      const wrong = calls.filter(({ outcome }) => outcome !== "ok");
      see(
        `oldest ${toMinutes(oldestMs)}; ${refused} of ${reads} reads failed; ${assumed} AssumeRole, refused calls: ${wrong.length}`,
      );
      expect(refused).toBe(0);
      expect(wrong.length).toBeLessThanOrEqual(1);
      expect(oldestMs).toBeLessThanOrEqual(TTL_MS + MINUTE_MS);
      // A call that was signed with the wrong time is made again.
      expect(assumed).toBeLessThanOrEqual(2 + Math.ceil(180 / 54));
    },
  );

  row(
    `${back} back, and AWS fails for three hours`,
    "nothing is served beyond TTL + MAX_STALE (65 min), by that clock",
    async (see) => {
      const bench = await startVirtualBench();
      await bench.askForSecret();
      bench.pass(MINUTE_MS);
      bench.aws.fault("GetSecretValue", FAILS);
      bench.setClock(-byMs);
      const servedAtMs: number[] = [];
      for (const from = bench.elapsedMs(); bench.elapsedMs() < from + 3 * HOUR_MS; bench.pass(MINUTE_MS)) {
        if ((await bench.askForSecret()).status === 200) servedAtMs.push(bench.elapsedMs());
      }
      see(
        servedAtMs.length === 0 ? "nothing is served" : `served until it was ${toMinutes(Math.max(...servedAtMs))} old`,
      );
      // If the value is older than the step, the step cannot be detected, and the value is kept longer by the length of the step.
      expect(Math.max(0, ...servedAtMs)).toBeLessThan(TTL_MS + MAX_STALE_MS + Math.min(byMs, MINUTE_MS));
    },
  );
}

for (const aheadMs of [15 * MINUTE_MS, -15 * MINUTE_MS, 16 * MINUTE_MS, -16 * MINUTE_MS, 26 * HOUR_MS]) {
  const minutes = `${aheadMs > 0 ? "+" : ""}${aheadMs / MINUTE_MS} min`;

  row(
    `the local clock is wrong by ${minutes} from the start`,
    "one call is made twice; then AssumeRole once an hour, every call ok",
    async (see) => {
      const bench = await startVirtualBench({}, aheadMs);
      const { refused } = await readOn(bench, 3 * HOUR_MS);
      const outcomes = bench.aws.calls.map(({ operation, outcome }) => `${operation} ${outcome}`);
      const wrong = outcomes.filter((outcome) => !outcome.endsWith(" ok"));
      see(
        `${bench.aws.count("AssumeRole")} AssumeRole in 3 h; refused: ${wrong.join(", ") || "none"}; ${refused} failed reads`,
      );
      expect(refused).toBe(0);
      expect(wrong.length).toBeLessThanOrEqual(1);
      expect(bench.aws.count("AssumeRole")).toBeLessThanOrEqual(1 + Math.ceil(180 / 54));
    },
  );

  row(
    `the local clock steps by ${minutes} while the extension runs`,
    "one call is made twice; then every call is ok",
    async (see) => {
      const bench = await startVirtualBench();
      await readOn(bench, 10 * MINUTE_MS);
      const before = bench.aws.calls.length;
      bench.setClock(aheadMs);
      const { refused } = await readOn(bench, 3 * HOUR_MS);
      const calls = bench.aws.calls.slice(before);
      const wrong = calls
        .filter(({ outcome }) => outcome !== "ok")
        .map(({ operation, outcome }) => `${operation} ${outcome}`);
      const assumed = calls.filter(({ operation }) => operation === "AssumeRole").length;
      see(`${assumed} AssumeRole in 3 h; refused: ${wrong.join(", ") || "none"}; ${refused} failed reads`);
      expect(refused).toBe(0);
      expect(wrong.length).toBeLessThanOrEqual(1);
      expect(assumed).toBeLessThanOrEqual(2 + Math.ceil(180 / 54));
    },
  );
}
