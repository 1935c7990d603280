/**
 * Everything that is known of ONE secret, parameter or role session: the value, the fetches in flight, and how the last
 * fetch failed. It knows nothing of AWS.
 *
 * A value is *fresh* until `freshMs`: it is served. It is *ageing* until `ttlMs`: it is served, and fetched again behind
 * the reply. Then it is *expired*: the request waits for the fetch. If that fails in a way that allows it, the value is
 * *stale*: it is served until `keepMs`.
 *
 * Nothing is due by a timer, because a frozen process has none: ages and pauses are computed when a request comes, from
 * the wall clock. A clock that steps back makes a value too old, never eternal.
 */
import type { BackOff, Failure } from "../failure/failure.ts";
import { type DeadlineEpochMs, within } from "./deadline.ts";

export interface Held<V> {
  readonly value: V;
  /** When the call that brought it began. The value does not know what AWS changed later. */
  readonly askedAtEpochMs: number;
  /** Sequence number of the fetch that brought it. */
  readonly order: number;
  /** The ages at which the states end. */
  readonly freshMs: number;
  readonly ttlMs: number;
  readonly keepMs: number;
}

/** How a fetch ended, and the id that it asked for. */
export type Fetched<V> = { readonly id: string } & ({ readonly held: Held<V> } | { readonly failure: Failure });

export interface FetchOptions<V> {
  readonly deadlineEpochMs: DeadlineEpochMs;
  /** Starts a fetch. Called only if there is none to join. */
  readonly start: () => Promise<Fetched<V>>;
  /** What the wait fails with at the deadline. */
  readonly late: () => Failure;
  /** The caller joins only a fetch that starts after this call. A crowd of such callers makes two fetches. */
  readonly isNew?: boolean;
}

interface Flight<V> {
  readonly result: Promise<Fetched<V>>;
  readonly deadlineEpochMs: DeadlineEpochMs;
  readonly isNew: boolean;
  /** The fetch that starts when this one has ended. */
  next: Promise<Fetched<V>> | undefined;
}

export class Kept<V> {
  readonly #now: () => number;
  #held: Held<V> | undefined;
  #flight: Flight<V> | undefined;
  /** `times`: how often in a row. */
  #failed:
    | { failure: Failure; order: number; backOff: BackOff; times: number; atEpochMs: number; pauseMs: number }
    | undefined;
  #reported: { readonly versionId: string; readonly atEpochMs: number; readonly isFetching: boolean } | undefined;
  /** Sequence number of the latest fetch that brought a value, even if that is no longer held. */
  #latestOrder = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The value, unless it is too old to be served. */
  find(): Held<V> | undefined {
    if (this.#held !== undefined && this.toAgeMs(this.#held) >= this.#held.keepMs) this.#held = undefined;
    return this.#held;
  }

  /** A clock that has stepped back says nothing about an age. The value counts as too old. */
  toAgeMs({ askedAtEpochMs }: Held<V>): number {
    const ageMs = this.#now() - askedAtEpochMs;
    return ageMs < 0 ? Number.POSITIVE_INFINITY : ageMs;
  }

  isFresh(held: Held<V>): boolean {
    return this.toAgeMs(held) < held.freshMs;
  }

  isExpired(held: Held<V>): boolean {
    return this.toAgeMs(held) >= held.ttlMs;
  }

  /** A fetch that is past its deadline was frozen. It is abandoned, and never joined. */
  get isFetching(): boolean {
    return this.#flight !== undefined && this.#now() < this.#flight.deadlineEpochMs;
  }

  get isHolding(): boolean {
    return this.#held !== undefined;
  }

  /** Nothing is known that a later request, or the late answer to an earlier one, could need. */
  get isEmpty(): boolean {
    return this.#latestOrder === 0 && this.#failed === undefined && this.#flight === undefined;
  }

  /** Holds a value, unless a later fetch has brought one. Returns the later value. */
  hold(held: Held<V>): Held<V> {
    if (held.order < this.#latestOrder) return this.#held ?? held;
    this.#latestOrder = held.order;
    this.#held = held;
    this.forgetFailure(held.order);
    return held;
  }

  /** Drops a value that an earlier fetch than this one brought. */
  drop(order = Number.POSITIVE_INFINITY): void {
    if (this.#held !== undefined && this.#held.order < order) this.#held = undefined;
  }

  /**
   * Remembers how a fetch failed, unless a later one has ended. The pause until AWS is asked again doubles with each
   * failure that is treated alike. Returns the failure, which then tells when to ask again.
   */
  fail(failure: Failure, order: number, backOff: BackOff | undefined, random: () => number): Failure {
    const last = this.#failed;
    if (backOff === undefined || order < Math.max(this.#latestOrder, last?.order ?? 0)) return failure;
    const times = last?.backOff === backOff ? last.times + 1 : 1;
    const longestMs = Math.min(backOff.mostMs, backOff.firstMs * 2 ** (times - 1));
    const pauseMs = backOff.isJittered ? longestMs * (1 - random() / 2) : longestMs;
    this.#failed = { failure, order, backOff, times, atEpochMs: this.#now(), pauseMs };
    return failure.withRetryAfter(pauseMs);
  }

  /** The remembered failure, until its pause is over. For a caller that insists, the pause is at most `mostMs`. */
  recall(mostMs = Number.POSITIVE_INFINITY): Failure | undefined {
    if (this.#failed === undefined) return undefined;
    const { failure, atEpochMs, pauseMs } = this.#failed;
    const passedMs = this.#now() - atEpochMs;
    // A clock that has stepped back does not tell how long the pause still is.
    const leftMs = passedMs < 0 ? 0 : Math.min(pauseMs, mostMs) - passedMs;
    return leftMs > 0 ? failure.withRetryAfter(leftMs) : undefined;
  }

  /** Whether a later fetch than this one has brought a value, even if that is no longer held. */
  wasHeldAfter(order: number): boolean {
    return this.#latestOrder > order;
  }

  /** The failure of a later fetch than this one. */
  findFailureAfter(order: number): Failure | undefined {
    return this.#failed !== undefined && this.#failed.order > order ? this.#failed.failure : undefined;
  }

  forgetFailure(order: number): void {
    if (this.#failed !== undefined && this.#failed.order < order) this.#failed = undefined;
  }

  /**
   * Notes that a caller reports this version as refused. Returns undefined for the first report, and 0 while that has its
   * fetch in flight. After that, until `pauseMs` are over, returns how long the pause still is.
   */
  report(versionId: string, pauseMs: number): number | undefined {
    const last = this.#reported?.versionId === versionId ? this.#reported : undefined;
    if (last?.isFetching) return 0;
    const passedMs = last === undefined ? pauseMs : this.#now() - last.atEpochMs;
    if (passedMs >= 0 && passedMs < pauseMs) return pauseMs - passedMs;
    this.#reported = { versionId, atEpochMs: this.#now(), isFetching: true };
    return undefined;
  }

  /** The fetch for the first report has ended. If it failed, the next report counts as the first. */
  settleReport(hasFailed: boolean): void {
    this.#reported = hasFailed || this.#reported === undefined ? undefined : { ...this.#reported, isFetching: false };
  }

  /**
   * Joins the fetch in flight, or starts one, and waits until the deadline. All who join share the deadline of the fetch:
   * a crowd that comes one by one to a service that does not answer asks it once.
   */
  async fetch(options: FetchOptions<V>): Promise<Fetched<V>> {
    const { deadlineEpochMs, late } = options;
    if (this.#now() >= deadlineEpochMs) throw late();
    const result = this.#joinOrStart(options);
    // It may fail when no caller waits any more.
    result.catch(() => {});
    return within({ deadlineEpochMs, now: this.#now, late, start: () => result });
  }

  #joinOrStart(options: FetchOptions<V>): Promise<Fetched<V>> {
    const { deadlineEpochMs, isNew = false, start, late } = options;
    const flight = this.isFetching ? this.#flight : undefined;
    if (flight !== undefined && !isNew) return flight.result;
    if (flight?.isNew) {
      const startNext = () => {
        if (this.#now() >= deadlineEpochMs) throw late();
        return this.#joinOrStart(options);
      };
      flight.next ??= flight.result.then(startNext, startNext);
      return flight.next;
    }
    const started: Flight<V> = {
      deadlineEpochMs,
      isNew,
      next: undefined,
      result: start().finally(() => {
        if (this.#flight === started) this.#flight = undefined;
      }),
    };
    this.#flight = started;
    return started.result;
  }
}
