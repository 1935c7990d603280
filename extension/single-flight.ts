/** One piece of work for all who want the same at the same time. */
import { type DeadlineEpochMs, within } from "./deadline.ts";
import { Failure } from "./errors.ts";

export interface Journey<T> {
  /** Who gives the same key wants the same. */
  readonly key: string;
  readonly deadlineEpochMs: DeadlineEpochMs;
  /** Starts the work; called only where there is none to join. */
  readonly start: () => Promise<T>;
  /** Not to be joined to work that began before. */
  readonly alone?: boolean;
}

export type SingleFlight<T> = (journey: Journey<T>) => Promise<T>;

interface Flight<T> {
  readonly result: Promise<T>;
  readonly deadlineEpochMs: DeadlineEpochMs;
}

/**
 * Work that is past its deadline was frozen, and is dying: it is abandoned, never joined. Who joined work that had an
 * earlier deadline, and failed for that alone, tries again with the time that is left.
 */
export function createSingleFlight<T>(now: () => number): SingleFlight<T> {
  const flights = new Map<string, Flight<T>>();

  function takeOff({ key, deadlineEpochMs, start }: Journey<T>): Flight<T> {
    const flight: Flight<T> = {
      deadlineEpochMs,
      result: start().finally(() => {
        if (flights.get(key) === flight) flights.delete(key);
      }),
    };
    flights.set(key, flight);
    return flight;
  }

  return async (journey) => {
    const { key, deadlineEpochMs, alone = false } = journey;
    for (;;) {
      const underWay = alone ? undefined : flights.get(key);
      const joined = underWay !== undefined && now() < underWay.deadlineEpochMs ? underWay : undefined;
      try {
        const { result } = joined ?? takeOff(journey);
        const late = () => new Failure("timeout", "no answer in time");
        return await within({ deadlineEpochMs, now, late, start: () => result });
      } catch (error) {
        const wasCutShort = joined !== undefined && error instanceof Failure && error.code === "timeout";
        if (!wasCutShort || now() >= deadlineEpochMs) throw error;
      }
    }
  };
}
