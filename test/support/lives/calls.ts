/** Which calls to AWS a life made, and which fetches of the cache they belong to. */
import { type AwsCaller, createAwsCaller } from "../../../extension/aws/call.ts";
import type { AwsCall } from "../../../extension/failure/aws-error.ts";
import { type Failure, toFailure, toFailureRow } from "../../../extension/failure/failure.ts";
import type { LifeClock } from "./clock.ts";
import { FAILOVER_REGION, type LifeSettings, ROLES } from "./life.ts";
import { type Meaning, toIdAnywhere } from "./requests.ts";

/** Between the end of a fetch and the reply. */
const REPLY_MARGIN_MS = 20;

/** One call, with all its tries. */
export interface LifeCall {
  /** Numbers in the order of what happens. */
  readonly began: number;
  ended: number;
  readonly source: number;
  readonly beganAtMonotonicMs: number;
  readonly deadlineEpochMs: number;
  readonly isFailover: boolean;
  /** Undefined for AssumeRole. */
  readonly fetch: LifeFetch | undefined;
  outcome: "answered" | Failure | undefined;
  endedAtEpochMs: number;
  endedAtMonotonicMs: number;
  /** The session with which it was asked, if that had expired or was revoked. */
  endedSession: LifeSession | undefined;
  /** It was past its deadline at some time, whatever the clock says later. */
  isAbandoned: boolean;
}

/** What the cache calls a fetch: calls with one deadline for one id, each after the failure of the one before. */
export interface LifeFetch {
  readonly key: string;
  /** When its first call began. */
  readonly began: number;
  /** If it waited for a session before that: when that session was asked for. */
  readonly beganAfter: number;
  readonly beganAtMonotonicMs: number;
  /** Between these two it began. */
  readonly beganAtEpochMs: { readonly least: number; readonly most: number };
  readonly deadlineEpochMs: number;
  readonly source: number;
  readonly id: string;
  readonly meaning: Meaning;
  readonly calls: LifeCall[];
  form: string | undefined;
  answer: { readonly versionId: string; readonly generation: number } | undefined;
}

export interface LifeSession {
  readonly source: number;
  readonly issuedAtMonotonicMs: number;
  readonly askedAtEpochMs: number;
  isRevoked: boolean;
}

export type CallTrace = ReturnType<typeof createCallTrace>;

export function createCallTrace(deps: {
  readonly clock: LifeClock;
  readonly settings: LifeSettings;
  readonly meanings: readonly (Meaning & { readonly id: string })[];
  readonly tick: () => number;
  readonly onRenewal: (call: LifeCall) => void;
}) {
  const { clock, settings, tick } = deps;
  const { now, monotonicNow } = clock;
  const calls: LifeCall[] = [];
  const fetches: LifeFetch[] = [];
  const callOfSignal = new WeakMap<AbortSignal, LifeCall>();
  const toMeaningKey = (kind: string, id: string, region: string) => `${kind} ${toIdAnywhere(id)} ${region}`;
  const meanings = new Map(deps.meanings.map((each) => [toMeaningKey(each.kind, each.id, each.region), each]));
  /** While a session is renewed: since when, and what the clock said. */
  const renewals = ROLES.map(() => ({ began: Number.POSITIVE_INFINITY, walls: new Set<number>() }));
  let latestEpochMs = now();

  function begin(awsCall: AwsCall, deadlineEpochMs: number): LifeCall {
    const source = ROLES.indexOf(awsCall.roleArn as (typeof ROLES)[number]);
    const call: LifeCall = {
      source,
      fetch: awsCall.operation === "AssumeRole" ? undefined : findFetch(awsCall, source, deadlineEpochMs),
      began: tick(),
      beganAtMonotonicMs: monotonicNow(),
      deadlineEpochMs,
      isFailover: awsCall.region === FAILOVER_REGION,
      ...{ outcome: undefined, ended: 0, endedAtEpochMs: 0, endedAtMonotonicMs: 0 },
      ...{ endedSession: undefined, isAbandoned: false },
    };
    call.fetch?.calls.push(call);
    const renewal = renewals[source];
    if (call.fetch === undefined && renewal !== undefined) {
      deps.onRenewal(call);
      renewal.began = Math.min(renewal.began, call.began);
      renewal.walls.add(now());
    }
    calls.push(call);
    return call;
  }

  /** Each request has its own deadline, and so has each fetch. */
  function findFetch({ operation, region, id = "" }: AwsCall, source: number, deadlineEpochMs: number): LifeFetch {
    const kind = operation === "GetParameter" ? "parameter" : "secret";
    // The first of two regions has half of the time.
    const isHalf = kind === "secret" && settings.hasFailover && region !== FAILOVER_REGION;
    const fetchDeadlineEpochMs = isHalf ? 2 * deadlineEpochMs - now() : deadlineEpochMs;
    const key = `${kind} ${source} ${toIdAnywhere(id)} ${fetchDeadlineEpochMs}`;
    const begun = fetches.find((fetch) => fetch.key === key && fetch.calls.at(-1)?.outcome instanceof Error);
    if (begun !== undefined) return begun;
    const meaning = meanings.get(toMeaningKey(kind, id, region));
    if (meaning === undefined) throw new Error(`no step asks for ${id} in ${region}`);
    const began = tick();
    const renewal = renewals[source];
    const walls = [now(), ...(renewal?.walls ?? [])];
    const fetch: LifeFetch = {
      key,
      began,
      beganAfter: Math.min(began, renewal?.began ?? began),
      beganAtMonotonicMs: monotonicNow(),
      beganAtEpochMs: { least: Math.min(...walls), most: Math.max(...walls) },
      deadlineEpochMs: fetchDeadlineEpochMs,
      source,
      id,
      // A bare name is in the account of the role.
      meaning: { ...meaning, accountId: id.includes(":") ? meaning.accountId : (ROLES[source]?.split(":")[4] ?? "") },
      calls: [],
      ...{ form: undefined, answer: undefined },
    };
    fetches.push(fetch);
    return fetch;
  }

  const caller = createAwsCaller({ logger: silent, now, random: () => settings.random });
  const callAws: AwsCaller = async (awsCall, deadlineEpochMs, send) => {
    const call = begin(awsCall, deadlineEpochMs);
    const end = (outcome: LifeCall["outcome"]) =>
      Object.assign(call, { outcome, ended: tick(), endedAtEpochMs: now(), endedAtMonotonicMs: monotonicNow() });
    try {
      const answer = await caller(awsCall, deadlineEpochMs, (signal) => {
        callOfSignal.set(signal, call);
        return send(signal);
      });
      end("answered");
      return answer;
    } catch (thrown) {
      end(toFailure(thrown));
      throw thrown;
    }
  };

  return {
    callAws,
    calls,
    /** The call that a try belongs to. */
    callOf(signal: AbortSignal): LifeCall {
      const call = callOfSignal.get(signal);
      if (call === undefined) throw new Error("a call to AWS that callAws does not know");
      return call;
    },
    isRenewing: (source: number): boolean =>
      calls.some((call) => call.source === source && call.fetch === undefined && call.outcome === undefined),
    /** Whether others may still join it. If it waited for a session, it may have been abandoned before its first call. */
    isLive: ({ calls, began, beganAfter, deadlineEpochMs }: LifeFetch): boolean =>
      calls.some((call) => isLive(call, now())) &&
      (began === beganAfter || latestEpochMs < deadlineEpochMs + REPLY_MARGIN_MS),
    /** To be called whenever the clock has gone on or was set. */
    look(): void {
      latestEpochMs = Math.max(latestEpochMs, now());
      for (const call of calls) {
        if (call.outcome !== undefined || call.isAbandoned) continue;
        if (now() >= toFlightDeadlineEpochMs(call)) call.isAbandoned = true;
        if (call.fetch === undefined) renewals[call.source]?.walls.add(now());
      }
      for (const [source, renewal] of renewals.entries()) {
        if (this.isRenewing(source)) continue;
        renewal.began = Number.POSITIVE_INFINITY;
        renewal.walls.clear();
      }
    },
  };
}

const toFlightDeadlineEpochMs = ({ fetch, deadlineEpochMs }: LifeCall): number =>
  deadlineEpochMs + (fetch === undefined ? 0 : REPLY_MARGIN_MS);

export const isLive = (call: LifeCall, atEpochMs: number): boolean =>
  call.outcome === undefined && !call.isAbandoned && atEpochMs < toFlightDeadlineEpochMs(call);

export const isRefusal = (outcome: LifeCall["outcome"]): boolean =>
  outcome instanceof Error && !toFailureRow(outcome).mayServeStale;

export const silent = { debug() {}, info() {}, warn() {}, error() {} };
