import type { Exit, OutputStream } from "./process.ts";

/** One API call, or one thing that Lambda itself did (`from: "lambda"`). */
export interface JournalEntry extends Timed {
  /** An extension's name, `"runtime"`, `"unknown"` (a call without a known identifier), or `"lambda"`. */
  readonly from: string;
  /**
   * Of an extension: `register`, `next`, `init/error`, `exit/error`. Of the runtime: `next`, `response`, `error`,
   * `init/error`. Of both: `exit`, when the process has ended. Of Lambda: `start`, the name of a signal, and the events
   * `invocation` (to the runtime), `INVOKE` and `SHUTDOWN`. Anything else: method and path of a call that nobody knows.
   */
  readonly call: string;
  readonly detail: JournalDetail;
}

/** What there is to say about a journal entry. */
export interface JournalDetail extends Partial<Exit> {
  /** What was answered; absent for an accepted `next`, which is answered later, by an event. */
  readonly status?: number;
  /** The `errorType` of a refusal, such as `Extension.InvalidExtensionState`. */
  readonly refusal?: string;
  /** What an extension asked to be told of when it registered. */
  readonly events?: readonly string[];
  /** The error type header of `init/error`, `exit/error` and `error`. */
  readonly errorType?: string;
  /** The request's body, parsed when it is JSON. */
  readonly body?: unknown;
  /** Whom Lambda started, signalled, or sent an event. */
  readonly to?: string;
  readonly pid?: number | undefined;
  readonly requestId?: string;
  readonly reason?: string;
  readonly deadlineEpochMs?: number;
}

/** One line of the function's log group. */
export interface LogLine extends Timed {
  readonly source: "extension" | "function";
  readonly stream: OutputStream;
  readonly line: string;
}

/** When: milliseconds since the environment's first init began, from a monotonic clock, resets included. */
export interface Timed {
  readonly atMs: number;
}

/** Like the callback of `Array.prototype.find`; the index tells a second occurrence from the first. */
export type Predicate<Entry> = (entry: Entry, index: number) => boolean;

/** A list that only grows, and that can be waited on. */
export interface EntryList<Entry> {
  readonly entries: readonly Entry[];
  add(entry: Entry): void;
  /** The first entry that fits, past ones included; pending until there is one. */
  waitFor(predicate: Predicate<Entry>): Promise<Entry>;
}

/** Makes an empty list. */
export function createEntryList<Entry>(): EntryList<Entry> {
  const entries: Entry[] = [];
  const waiting = new Set<(entry: Entry, index: number) => void>();
  return {
    entries,
    add(entry) {
      const index = entries.push(entry) - 1;
      for (const offer of waiting) offer(entry, index);
    },
    waitFor(predicate) {
      return new Promise((resolve) => {
        const index = entries.findIndex(predicate);
        const found = entries[index];
        if (found !== undefined) return resolve(found);
        const offer = (entry: Entry, entryIndex: number) => {
          if (!predicate(entry, entryIndex)) return;
          waiting.delete(offer);
          resolve(entry);
        };
        waiting.add(offer);
      });
    },
  };
}
