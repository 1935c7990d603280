/** Long and random lives of a cache, and what it promises in each of them. With vitest's clock, which stands still. */
import fc from "fast-check";
import { vi } from "vitest";
import { createValueCache } from "../../extension/cache/cache.ts";
import { Failure, type FailureCode, toFailureRow } from "../../extension/failure/failure.ts";
import { createCounters } from "../../extension/metrics.ts";
import { type SecretValue, secretRules } from "../../extension/values/secret.ts";
import { createConfig } from "./config.ts";

/** What is promised. */
export type Promised =
  | "one flight at a time"
  | "not too old"
  | "not after a denial"
  | "not older than before"
  | "the secret that was asked for"
  | "an answer in time";

const START_EPOCH_MS = Date.UTC(2026, 0, 1);
const TTL_MS = 60_000;
const MAX_STALE_MS = 600_000;
const TIMEOUT_MS = 2_500;
const [SOURCE] = createConfig().sources;

const toPartialArn = (name: string) => `arn:aws:secretsmanager:eu-west-1:111111111111:secret:${name}`;
const toArn = (name: string) => `${toPartialArn(name)}-AbCdEf`;

export function toValue(versionId: string, name: string, secretString = "s3cret"): SecretValue {
  const arn = toArn(name);
  const rest = { versionStages: ["AWSCURRENT"], createdDate: new Date(0), secretBinary: undefined };
  return { arn, name, versionId, secretString, ...rest };
}

/** The clock goes on, or back, and no timer runs: as over a freeze. */
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

/** Whatever is ready to run runs, and the clock stands still. */
const settle = () => vi.advanceTimersByTimeAsync(0);

/** One secret; two secrets, one of which looks like the other's ARN, in all their spellings. */
export const spellings = {
  one: ["my"],
  six: ["my", toArn("my"), toPartialArn("my"), "my-abcdef", toArn("my-abcdef"), toPartialArn("my-abcdef")],
} as const;

const codes: FailureCode[] = [
  "throttled",
  "timeout",
  "credentials-expired",
  "internal",
  "kms-denied",
  "secret-deleted",
];
const isFinal = (failure: Failure) => !toFailureRow(failure).mayServeStale;
const toNameOf = (id: string) => (id.includes("my-abcdef") ? "my-abcdef" : "my");

const toStep = (spellings: readonly string[]) => {
  const id = fc.constantFrom(...spellings);
  const nth = fc.nat({ max: 3 });
  const ms = fc.constantFrom(1, 20, 250, 500, 1_000, 2_480, 5_000, 10_000, 45_000, TTL_MS, MAX_STALE_MS);
  return fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant("get" as const), id }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("refreshNow" as const), id }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("invalidate" as const), id }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("answer" as const), nth }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("fail" as const), nth, code: fc.constantFrom(...codes) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("pass" as const), ms }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("freeze" as const), ms }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("step back" as const), ms }) },
  );
};
type Step = ReturnType<typeof toStep> extends fc.Arbitrary<infer T> ? T : never;

export const toSequence = (ids: readonly string[]): fc.Arbitrary<Step[]> =>
  fc.array(toStep(ids), { maxLength: 60, size: "max" });

interface Flight {
  readonly order: number;
  readonly id: string;
  readonly askedAtEpochMs: number;
  readonly deadlineEpochMs: number;
  /** It began while another was under way, which only refreshNow may. */
  readonly isSecond: boolean;
  isSettled: boolean;
  /** Past its deadline at some time, wherever the clock has gone since. */
  isAbandoned: boolean;
  settle(outcome: Failure | undefined): void;
}

/** Takes the steps until one breaks the promise; what was broken then, if anything was. */
export async function findBroken(
  promised: Promised,
  steps: readonly Step[],
  isOneSpelling: boolean,
): Promise<readonly string[]> {
  vi.setSystemTime(START_EPOCH_MS);
  vi.clearAllTimers();
  const flights: Flight[] = [];
  /** By name: the fetch that brought the latest answer, and the latest one that brought a refusal. */
  const answered = new Map<string, number>();
  const refused = new Map<string, number>();
  const waits: Promise<unknown>[] = [];
  const complaints: string[] = [];
  const complain = (broken: Promised, how: string) => void (broken === promised && complaints.push(how));
  const cache = createValueCache({
    rules: secretRules,
    source: SOURCE,
    config: { sources: [SOURCE], ttlMs: TTL_MS, maxStaleMs: MAX_STALE_MS, cacheSize: 10, timeoutMs: TIMEOUT_MS },
    counters: createCounters(),
    now: Date.now,
    random: () => 0.5,
    fetch: ({ secretId: id }, deadlineEpochMs) =>
      new Promise((resolve, reject) => {
        const order = flights.length + 1;
        const name = toNameOf(id);
        const last = flights.at(-1);
        const isOver = last === undefined || last.isSettled || last.isAbandoned;
        const isUnderWay = !isOver && Date.now() < last.deadlineEpochMs;
        if (isOneSpelling && isUnderWay && last.isSecond)
          complain("one flight at a time", `${order} is a third fetch under way`);
        flights.push({
          order,
          id,
          askedAtEpochMs: Date.now(),
          // The fetch's own is a little earlier than that of whoever waits for it.
          deadlineEpochMs: deadlineEpochMs + 20,
          isSecond: isUnderWay,
          isSettled: false,
          isAbandoned: false,
          settle(failure) {
            this.isSettled = true;
            if (failure === undefined) {
              if ((refused.get(name) ?? 0) < order) answered.set(name, Math.max(answered.get(name) ?? 0, order));
              resolve(toValue(String(order), name));
            } else {
              if (isFinal(failure)) refused.set(name, Math.max(refused.get(name) ?? 0, order));
              reject(failure);
            }
          },
        });
      }),
  });

  /** Judged by what was known when it was asked for, and, where it is from memory, by what is known now. */
  function look(id: string, refreshNow: boolean): void {
    const name = toNameOf(id);
    // After a step back what is at hand is given up, and an older fetch under way may be all that there is.
    const latest = flights[(answered.get(name) ?? 0) - 1];
    if (latest !== undefined && Date.now() < latest.askedAtEpochMs) answered.delete(name);
    const known = { refused: refused.get(name) ?? 0, answered: answered.get(name) ?? 0, flights: flights.length };
    const got = cache.get({ secretId: id }, { deadlineEpochMs: Date.now() + TIMEOUT_MS, refreshNow }).then(
      ({ value, from, ageMs }) => {
        const order = Number(value.versionId);
        const flight = flights[order - 1];
        const isFromMemory = from !== "fetch";
        const refusedBy = isFromMemory ? (refused.get(name) ?? 0) : known.refused;
        if (value.name !== name) complain("the secret that was asked for", `${id} got ${value.name}`);
        if (order < refusedBy)
          complain("not after a denial", `${order} was served after ${refusedBy} had been refused`);
        if (order < known.answered)
          complain("not older than before", `${order} was served after ${known.answered} was there`);
        const trueAgeMs = Date.now() - (flight?.askedAtEpochMs ?? 0);
        // It may have joined a flight, but none that was frozen.
        if (!isFromMemory && trueAgeMs > 2 * TIMEOUT_MS)
          complain("not too old", `${order} was ${trueAgeMs} ms under way`);
        if (isFromMemory && flight !== undefined) {
          if (trueAgeMs !== ageMs) complain("not too old", `${order} is ${trueAgeMs} ms old, and says ${ageMs}`);
          if (trueAgeMs < 0 || trueAgeMs >= TTL_MS + MAX_STALE_MS)
            complain("not too old", `${order} is ${trueAgeMs} ms old`);
        }
        if (refreshNow && order <= known.flights)
          complain("not older than before", `refreshNow got ${order}, asked for before it`);
      },
      (thrown: unknown) => {
        if (!(thrown instanceof Failure)) complain("an answer in time", `${id} failed with something else`);
      },
    );
    waits.push(got);
  }

  const settleNth = (nth: number, failure?: Failure) => {
    const pending = flights.filter(({ isSettled }) => !isSettled);
    pending[nth % Math.max(1, pending.length)]?.settle(failure);
  };

  for (const taken of steps) {
    if (taken.kind === "get" || taken.kind === "refreshNow") look(taken.id, taken.kind === "refreshNow");
    if (taken.kind === "answer") settleNth(taken.nth);
    if (taken.kind === "fail") settleNth(taken.nth, new Failure(taken.code, "no"));
    if (taken.kind === "pass") await vi.advanceTimersByTimeAsync(taken.ms);
    if (taken.kind === "freeze") pass(taken.ms);
    if (taken.kind === "step back") pass(-taken.ms);
    if (taken.kind === "invalidate") {
      const versionId = String(answered.get(toNameOf(taken.id)) ?? 0);
      const deadlineEpochMs = Date.now() + TIMEOUT_MS;
      waits.push(cache.invalidate({ secretId: taken.id }, versionId, deadlineEpochMs).catch(() => {}));
    }
    for (const flight of flights) if (Date.now() >= flight.deadlineEpochMs) flight.isAbandoned = true;
    await settle();
    if (complaints.length > 0) return complaints;
  }
  // What was frozen has a second deadline.
  await vi.advanceTimersByTimeAsync(3 * TIMEOUT_MS);
  const waiting = new Set(waits);
  for (const wait of waits) void wait.then(() => waiting.delete(wait));
  await settle();
  if (waiting.size > 0) complain("an answer in time", `${waiting.size} still wait`);
  return complaints;
}
