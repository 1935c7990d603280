/** What the cache promises in each life, judged by the calls to AWS and by what callers got. */
import type { Cached } from "../../../extension/cache/cache.ts";
import { Failure } from "../../../extension/failure/failure.ts";
import type { ParameterValue } from "../../../extension/values/parameter.ts";
import type { SecretValue } from "../../../extension/values/secret.ts";
import { type LifeAws, toTry } from "./aws.ts";
import { type CallTrace, isLive, isRefusal, type LifeCall, type LifeFetch } from "./calls.ts";
import type { LifeClock } from "./clock.ts";
import { createEvictions } from "./evictions.ts";
import { type LifeSettings, TIMEOUT_MS } from "./life.ts";
import type { LifeRequest, Meaning } from "./requests.ts";

export const promises = [
  "one flight",
  "not too old",
  "not after a denial",
  "not older than before",
  "the secret that was asked for",
  "an answer in time",
  "forms share nothing",
  "evicted or held",
  "a session is replaced",
] as const;
export type Promised = (typeof promises)[number];

export interface Complaint {
  readonly promised: Promised;
  readonly how: string;
}

/** A request on its way. */
export interface Waiting {
  readonly what: "read" | "refreshNow" | "invalidate" | "prefetch";
  readonly request: LifeRequest;
  readonly began: number;
  readonly beganAtMonotonicMs: number;
  /** The latest fetch whose answer was there when it came, and the latest one for the same id. */
  readonly answered: number;
  readonly answeredForId: number;
  /** Its value is held, and neither AWS nor the clock has given a reason to drop it. */
  readonly mustBeHit: boolean;
  /** The latest secret of this name that was brought, if there was another one before. */
  readonly latestGeneration: { readonly generation: number; readonly began: number } | undefined;
  frozenMs: number;
  wasFrozen: boolean;
  isOver: boolean;
}

interface Refusal {
  readonly entry: string;
  readonly generation: number | undefined;
  /** It began between these two. */
  readonly beganAfter: number;
  readonly began: number;
  readonly knownAt: number;
}

/** The longest pause after a failure that allows stale values is 15 s, after the pause of the session. */
const LONGEST_PAUSE_MS = 17_000;
/** A session that replaces a refused one counts as new for at most this time. */
const NEW_SESSION_MS = 240_000;

export type Judge = ReturnType<typeof createJudge>;

export function createJudge(deps: { clock: LifeClock; settings: LifeSettings; tick: () => number }) {
  const { settings, tick } = deps;
  const { now, monotonicNow } = deps.clock;
  let [trace, aws]: [CallTrace?, LifeAws?] = [];
  const complaints: Complaint[] = [];
  const complain = (promised: Promised, how: string) => void complaints.push({ promised, how });
  const waiting: Waiting[] = [];
  const refused: Refusal[] = [];
  const reports: { entry: string; versionId: string; began: number; ended: number }[] = [];
  /** The fetches that are not over. */
  let open: readonly LifeFetch[] = [];
  /** By entry: the fetches that brought a value, the latest of these, and the latest that was started. */
  const answered = new Map<string, readonly LifeFetch[]>();
  const latestAnswered = new Map<string, number>();
  const latestStarted = new Map<string, LifeFetch>();
  const seconds = new WeakSet<LifeFetch>();
  /** By name: the latest secret that was created again. */
  const generations = new Map<string, { readonly generation: number; readonly began: number }>();
  const evictions = createEvictions(settings.ttlMs === 0 ? 0 : Math.ceil(settings.cacheSize / settings.sources));
  let [passedMs, steppedBackAt] = [0, 0];
  /** Whether each id that was asked for names one secret, which is there. */
  let isClear = settings.ids !== "all";

  const callsOf = (source: number | undefined) => trace?.calls.filter((call) => call.source === source) ?? [];
  const findLatest = (entry: string): LifeFetch | undefined =>
    answered.get(entry)?.reduce((latest, fetch) => (fetch.began > latest.began ? fetch : latest));
  const isRefused = (fetch: LifeFetch, before = Number.POSITIVE_INFINITY): boolean =>
    refused.some(
      ({ entry, generation, beganAfter, knownAt }) =>
        entry === toEntryOf(fetch) && beganAfter > fetch.began && knownAt < before && isNamed(generation, fetch.answer),
    );

  /** Another fetch of the same may be under way only if a caller insists on one that starts later. */
  function onFetch(fetch: LifeFetch): void {
    open = [...open, fetch];
    const entry = toEntryOf(fetch);
    const last = latestStarted.get(entry);
    latestStarted.set(entry, fetch);
    // If AWS refuses one id, the same is asked for with another. An id that may name two secrets may need two fetches.
    const hasOneId = settings.ids === "names" && !settings.isConfigured;
    const hasRefused = trace?.calls.some(({ outcome }) => isRefusal(outcome));
    if (!hasOneId && (!isClear || hasRefused)) return;
    // After a step back, a call that should be over goes on.
    if (last === undefined || last.beganAfter < steppedBackAt || !trace?.isLive(last)) return;
    const isInsisting = ({ what, request, isOver, began }: Waiting) =>
      (what === "refreshNow" || what === "invalidate") &&
      toEntry(request) === entry &&
      (!isOver || began > last.beganAfter);
    if (!waiting.some(isInsisting)) complain("one flight", `${entry} is fetched twice at a time`);
    if (seconds.has(last)) complain("one flight", `${entry} is fetched three times at a time`);
    seconds.add(fetch);
  }

  function onRenewal({ source }: LifeCall): void {
    if (callsOf(source).some((call) => call.fetch === undefined && isLive(call, now())))
      complain("one flight", "two sessions are asked for at a time");
  }

  function begin(what: Waiting["what"], request: LifeRequest): Waiting {
    const entry = toEntry(request);
    const brought = (answered.get(entry) ?? []).filter(({ answer }) => isNamed(request.generation, answer));
    const toLatest = (fetches: readonly LifeFetch[]) => Math.max(0, ...fetches.map(({ beganAfter }) => beganAfter));
    const isAboutLatest = isNamed(request.generation, findLatest(entry)?.answer);
    const heldMs = monotonicNow() - (evictions.findHeld(entry) ?? Number.NEGATIVE_INFINITY);
    const isHeld = heldMs < settings.ttlMs - TIMEOUT_MS && !request.name.startsWith("big");
    const begun: Waiting = {
      what,
      request,
      began: tick(),
      beganAtMonotonicMs: monotonicNow(),
      answered: toLatest(brought),
      answeredForId: toLatest(brought.filter(({ id }) => id === request.id)),
      mustBeHit: what === "read" && isHeld && request.isAllowed && isAboutLatest,
      latestGeneration: generations.get(toName(request, request.source)),
      ...{ frozenMs: 0, wasFrozen: false, isOver: false },
    };
    waiting.push(begun);
    if ((request.generation ?? 0) !== aws?.toState(request).generation) isClear = false;
    // A prefetch uses other values, too.
    if (what === "prefetch") evictions.clear();
    else evictions.mayUse(entry);
    return begun;
  }

  /** No request waits longer than its time, or twice that if it was frozen meanwhile. */
  function end(begun: Waiting): void {
    begun.isOver = true;
    const waitedMs = monotonicNow() - begun.beganAtMonotonicMs - begun.frozenMs;
    if (waitedMs > (begun.wasFrozen ? 2 : 1) * TIMEOUT_MS)
      complain("an answer in time", `${begun.what} of ${begun.request.id} took ${waitedMs} ms`);
  }

  function served(begun: Waiting, cached: Cached<SecretValue | ParameterValue>) {
    end(begun);
    const { request } = begun;
    const fetch = aws?.callOfTry(toTry(cached.value))?.fetch;
    if (fetch === undefined) return complain("the secret that was asked for", `${request.id} got what AWS never gave`);
    const what = `${request.id} (${request.form}) got number ${fetch.began}`;
    const isMemory = cached.from !== "fetch";
    const secret = findWrongSecret(begun, cached.value, fetch, isMemory);
    if (secret !== undefined) complain("the secret that was asked for", `${what}, ${secret}`);
    if (fetch.form !== request.form) complain("forms share nothing", `${what}, the form ${fetch.form}`);
    if (isRefused(fetch, isMemory ? undefined : begun.began))
      complain("not after a denial", `${what}, after a later fetch was refused`);
    const newer = findNewer(begun, fetch, isMemory);
    if (newer !== undefined) complain("not older than before", `${what}, ${newer}`);
    const age = findWrongAge(cached, fetch);
    if (age !== undefined) complain("not too old", `${what}, ${age}`);
    if (begun.mustBeHit && cached.from !== "memory") complain("evicted or held", `${what}, and should have been held`);
    const entry = toEntry(request);
    if (isMemory && evictions.mustBeGone(entry)) complain("evicted or held", `${what}, which was evicted`);
    evictions.use(entry);
  }

  function findWrongSecret(
    { request, latestGeneration }: Waiting,
    value: SecretValue | ParameterValue,
    { source, meaning, answer, began }: LifeFetch,
    isMemory: boolean,
  ): string | undefined {
    if (!request.isAllowed || request.source === undefined) return "which is not allowed";
    if (toName(request, request.source) !== toName(meaning, source)) return `${value.name} of role ${source}`;
    if (value.name !== request.name || !value.arn.includes(`:${request.region}:${request.accountId}:`))
      return value.arn;
    if (!isNamed(request.generation, answer)) return "which was created before or later";
    const { generation = 0, began: created = 0 } = latestGeneration ?? {};
    const isReplaced = (answer?.generation ?? 0) < generation && began < created;
    return request.kind === "secret" && isMemory && isReplaced
      ? "which was replaced by a secret that was created again"
      : undefined;
  }

  function findNewer(begun: Waiting, fetch: LifeFetch, isMemory: boolean): string | undefined {
    // A newer value that is not held does not keep an older fetch from being joined.
    const isKept = settings.ttlMs > 0 && settings.cacheSize === 1_000 && !begun.request.name.startsWith("big");
    if (fetch.began < begun.answered && (isMemory || isKept)) return `after number ${begun.answered}`;
    if (begun.what === "refreshNow" && fetch.began < begun.began) return "which began before refreshNow";
    const isReported = ({ entry, versionId, began, ended }: (typeof reports)[number]) =>
      entry === toEntryOf(fetch) && versionId === fetch.answer?.versionId && ended < begun.began && fetch.began < began;
    return reports.some(isReported) ? "which was reported invalid" : undefined;
  }

  function findWrongAge({ from, ageMs }: Cached<unknown>, { source, beganAtEpochMs }: LifeFetch): string | undefined {
    const [leastMs, mostMs] = [now() - beganAtEpochMs.most, now() - beganAtEpochMs.least];
    // After a step back, a deadline comes late, and a freeze may be over before it.
    const isLate = leastMs > 2 * TIMEOUT_MS && steppedBackAt === 0;
    if (from === "fetch") return isLate ? `asked for ${leastMs} ms ago` : undefined;
    if (ageMs < leastMs || ageMs > mostMs) return `which says ${ageMs} ms`;
    if (ageMs < 0 || ageMs >= settings.ttlMs + settings.maxStaleMs || settings.ttlMs === 0) return `${ageMs} ms old`;
    const hasFailed = callsOf(source).some(({ outcome, endedAtEpochMs }) => {
      const passedMs = now() - endedAtEpochMs;
      return outcome instanceof Error && passedMs >= 0 && passedMs <= LONGEST_PAUSE_MS;
    });
    const isStale = from === "memory" && ageMs >= settings.ttlMs;
    return isStale && !hasFailed && steppedBackAt === 0 ? "stale without a failure" : undefined;
  }

  function failed(begun: Waiting, thrown: unknown) {
    end(begun);
    const { request, what } = begun;
    if (!(thrown instanceof Failure) || thrown.code === "internal")
      return complain("an answer in time", `${request.id} failed with something else`);
    if (begun.mustBeHit) complain("evicted or held", `${request.id} failed, and should have been held`);
    if (["not-allowed", "invalid-request"].includes(thrown.code) && request.isAllowed && request.source !== undefined)
      complain("the secret that was asked for", `${request.id} failed with ${thrown.code}`);
    const call = aws?.callOfTry(Number(thrown.details.requestId?.replace("try-", "") ?? Number.NaN));
    if (call === undefined || what === "invalidate") return;
    if (call.source !== request.source) complain("forms share nothing", `${request.id} failed as another role`);
    if (call.fetch !== undefined && (call.fetch.meaning.kind !== request.kind || call.fetch.form !== request.form))
      complain("forms share nothing", `${request.id} (${request.form}) failed as the form ${call.fetch.form}`);
    if (call.fetch !== undefined && isRefusal(thrown)) lookAtRefusal(begun, call.fetch);
  }

  /** That AWS refuses an id says nothing about an id of another secret, nor after a later answer. */
  function lookAtRefusal({ request, answeredForId }: Waiting, { id, meaning, began }: LifeFetch): void {
    const current = aws?.toState(request).generation;
    const isThere = (request.generation ?? current) === current;
    const isSame = meaning.name === request.name && (meaning.generation ?? current) === current;
    if (isThere && !isSame) complain("the secret that was asked for", `${request.id} failed because ${id} was refused`);
    if (began < answeredForId)
      complain("not older than before", `${request.id} failed with number ${began} after number ${answeredForId}`);
  }

  /** Looks at the fetches that have ended. To be called when nothing is ready to run. */
  function look(): void {
    const isOver = ({ calls, source }: LifeFetch) =>
      calls.at(-1)?.outcome === "answered" || (calls.at(-1)?.outcome !== undefined && !trace?.isRenewing(source));
    const over = open.filter(isOver).sort((a, b) => (a.calls.at(-1)?.ended ?? 0) - (b.calls.at(-1)?.ended ?? 0));
    open = open.filter((fetch) => !over.includes(fetch));
    // What AWS refused may be dropped, even if the session is still renewed.
    for (const fetch of open) if (isRefusal(fetch.calls.at(-1)?.outcome)) evictions.forget(toEntryOf(fetch));
    if (trace?.calls.some(({ fetch, outcome }) => fetch === undefined && isRefusal(outcome))) evictions.clear();
    for (const fetch of over) {
      const last = fetch.calls.at(-1);
      // A failure of the replica is not that of the secret.
      if (last === undefined || last.isFailover) continue;
      lookAtSession(fetch, last);
      if (!isRefusal(last.outcome)) continue;
      const { beganAfter, began, meaning } = fetch;
      const entry = toEntryOf(fetch);
      refused.push({ entry, generation: meaning.generation, beganAfter, began, knownAt: tick() });
      evictions.forget(entry);
    }
    for (const fetch of over) {
      if (fetch.calls.at(-1)?.outcome === "answered" && !isRefused(fetch)) bring(fetch);
      else evictions.mayUse(toEntryOf(fetch));
    }
    for (const begun of waiting) if (!begun.isOver && begun.what !== "prefetch") lookAtFlight(begun);
  }

  /** A value came. */
  function bring(fetch: LifeFetch): void {
    const entry = toEntryOf(fetch);
    const { least, most } = fetch.beganAtEpochMs;
    // After a step back, nothing that is younger than the clock is held, and an older answer may be all there is.
    if (now() >= most) answered.set(entry, [...(answered.get(entry) ?? []), fetch]);
    const isLatest = (latestAnswered.get(entry) ?? 0) < fetch.began;
    if (!isLatest) return;
    latestAnswered.set(entry, fetch.began);
    // A secret that was created again replaces the other versions of the one before.
    const [name, generation] = [toName(fetch.meaning, fetch.source), fetch.answer?.generation ?? 0];
    if (generation > (generations.get(name)?.generation ?? 0)) {
      generations.set(name, { generation, began: fetch.beganAfter });
      evictions.clear();
    }
    // An id that may name two secrets counts as a use of both.
    if (settings.ids === "all") return;
    const inUse = [...waiting.filter(({ isOver }) => !isOver).map(({ request }) => toEntry(request))];
    // It may not be held if it is older than it seems, younger than the clock, or if a later fetch was refused.
    const mayBeRefused = refused.some((refusal) => refusal.entry === entry && refusal.began > fetch.beganAfter);
    const isHeld = !mayBeRefused && now() >= most && now() - least <= TIMEOUT_MS;
    evictions.bring(entry, isHeld ? fetch.beganAtMonotonicMs : undefined, [...inUse, ...open.map(toEntryOf)]);
  }

  /** A failure that comes from the session counts only if the session is new, or no other can be had. */
  function lookAtSession(fetch: LifeFetch, { endedSession, endedAtEpochMs, deadlineEpochMs, isAbandoned }: LifeCall) {
    // After its deadline, a call that was frozen cannot renew the session. A fetch renews the session once.
    if (endedSession === undefined || isAbandoned || endedAtEpochMs >= deadlineEpochMs) return;
    if (endedSession.issuedAtMonotonicMs >= fetch.beganAtMonotonicMs) return;
    const ageMs = endedAtEpochMs - endedSession.askedAtEpochMs;
    const isNew = ageMs >= 0 && ageMs < NEW_SESSION_MS;
    const deadlineMonotonicMs = fetch.beganAtMonotonicMs + fetch.deadlineEpochMs - fetch.beganAtEpochMs.least;
    const hasFailed = callsOf(fetch.source).some(
      (call) =>
        call.fetch === undefined &&
        ((call.outcome instanceof Error && Math.abs(call.endedAtEpochMs - now()) <= TIMEOUT_MS) ||
          (call.outcome instanceof Error && call.endedAtMonotonicMs >= fetch.beganAtMonotonicMs) ||
          call.endedAtMonotonicMs >= deadlineMonotonicMs),
    );
    if (!isNew && !hasFailed)
      complain("a session is replaced", `${fetch.id} failed with a session that is ${ageMs} ms old`);
  }

  /** A request waits for a session, or for a fetch of its own form. */
  function lookAtFlight({ request }: Waiting): void {
    const isAwaited = ({ outcome, fetch }: LifeCall) =>
      outcome === undefined &&
      (fetch === undefined || (fetch.meaning.kind === request.kind && fetch.form === request.form));
    if (!callsOf(request.source).some(isAwaited))
      complain("forms share nothing", `${request.id} waits for no fetch of its own`);
  }

  return {
    complaints,
    complain,
    onFetch,
    onRenewal,
    begin,
    end,
    served,
    failed,
    look,
    watch(life: { readonly trace: CallTrace; readonly aws: LifeAws }): void {
      [trace, aws] = [life.trace, life.aws];
    },
    countWaiting: (): number => waiting.filter(({ isOver }) => !isOver).length,
    /** The version that a caller may report as invalid. */
    findVersion: (request: LifeRequest): string | undefined => findLatest(toEntry(request))?.answer?.versionId,
    /** A report has led to a fetch. */
    reported({ request, began }: Waiting, versionId: string): void {
      reports.push({ entry: toEntry(request), versionId, began, ended: tick() });
    },
    /** The next answer drops what is held of the secret that was there before. */
    createdAgain(): void {
      evictions.clear();
      isClear = false;
    },
    passed(ms: number): void {
      passedMs += ms;
      if (passedMs < settings.ttlMs) return;
      evictions.clear();
      passedMs = 0;
    },
    /** The clock was set, or jumped over a freeze. */
    jumped(ms: number, isFreeze: boolean): void {
      if (ms < 0) steppedBackAt = tick();
      for (const begun of waiting.filter(({ isOver }) => !isOver)) {
        if (isFreeze) begun.frozenMs += ms;
        if (ms > 0) begun.wasFrozen = true;
      }
      evictions.clear();
      for (const [entry, fetches] of answered) {
        if (fetches.some(({ beganAtEpochMs }) => now() < beganAtEpochMs.most)) answered.delete(entry);
      }
    },
  };
}

const toName = ({ kind, name, accountId, region }: Meaning, source: number | undefined) =>
  `${kind} ${source} ${accountId} ${region} ${name}`;
/** What one value is kept under. */
const toEntry = (request: LifeRequest) => `${toName(request, request.source)} ${request.form}`;
const toEntryOf = ({ meaning, source, form }: LifeFetch) => `${toName(meaning, source)} ${form}`;
const isNamed = (generation: number | undefined, answer: LifeFetch["answer"]) =>
  generation === undefined || generation === answer?.generation;
