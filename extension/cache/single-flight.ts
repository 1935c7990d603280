/** One piece of work for all who want the same at the same time. */

import type { Failure } from "../failure/failure.ts";
import { type DeadlineEpochMs, within } from "./deadline.ts";

export interface Journey<T> {
  /** Who gives the same key wants the same. */
  readonly key: string;
  readonly deadlineEpochMs: DeadlineEpochMs;
  /** Starts the work; called only where there is none to join. */
  readonly start: () => Promise<T>;
  /** What the wait fails with at the deadline. */
  readonly late: () => Failure;
  /** Not to be joined to work that began before. A crowd of such makes two pieces of work: the one under way, and the next. */
  readonly alone?: boolean;
}

export type SingleFlight<T> = (journey: Journey<T>) => Promise<T>;

interface Flight<T> {
  readonly result: Promise<T>;
  readonly deadlineEpochMs: DeadlineEpochMs;
  readonly alone: boolean;
}

/**
 * Work that is past its deadline was frozen, and is dying: it is abandoned, never joined. Whoever joins work shares its
 * fate, and so its deadline: a crowd that came one by one to a service that does not answer would otherwise ask it one by one.
 */
export function createSingleFlight<T>(now: () => number): SingleFlight<T> {
  const flights = new Map<string, Flight<T>>();
  const nexts = new Map<string, Promise<T>>();

  function takeOff({ key, deadlineEpochMs, start, alone = false }: Journey<T>): Promise<T> {
    const flight: Flight<T> = {
      deadlineEpochMs,
      alone,
      result: start().finally(() => {
        if (flights.get(key) === flight) flights.delete(key);
      }),
    };
    flights.set(key, flight);
    return flight.result;
  }

  function findUnderWay(key: string): Flight<T> | undefined {
    const flight = flights.get(key);
    return flight !== undefined && now() < flight.deadlineEpochMs ? flight : undefined;
  }

  function board(journey: Journey<T>, underWay: Flight<T> | undefined): Promise<T> {
    const { key, alone = false } = journey;
    if (underWay === undefined || (alone && !underWay.alone)) return takeOff(journey);
    if (!alone) return underWay.result;
    let next = nexts.get(key);
    if (next === undefined) {
      const start = () => {
        nexts.delete(key);
        if (now() >= journey.deadlineEpochMs) throw journey.late();
        return board(journey, findUnderWay(key));
      };
      next = underWay.result.then(start, start);
      nexts.set(key, next);
    }
    return next;
  }

  return async (journey) => {
    const { key, deadlineEpochMs, late } = journey;
    if (now() >= deadlineEpochMs) throw late();
    const result = board(journey, findUnderWay(key));
    // It may fail when nobody waits any more.
    result.catch(() => {});
    return within({ deadlineEpochMs, now, late, start: () => result });
  };
}
