import type { Exit, OutputStream } from "./process.ts";

/** One API call, or one action of Lambda itself (`from: "lambda"`). */
export interface JournalEntry extends Timed {
  /** An extension's name, `"runtime"`, `"unknown"` (a call without a known identifier), or `"lambda"`. */
  readonly from: string;
  /**
   * From an extension: `register`, `next`, `init/error`, `exit/error`. From the runtime: `next`, `response`, `error`,
   * `init/error`. From both: `exit`, when the process has ended. From Lambda: `start`, the name of a signal, and the events
   * `invocation` (to the runtime), `INVOKE` and `SHUTDOWN`. Any other text is the method and path of an unknown call.
   */
  readonly call: string;
  readonly detail: JournalDetail;
}

/** The details of a journal entry. */
export interface JournalDetail extends Partial<Exit> {
  /** The status of the answer. Absent for an accepted `next`, which an event answers later. */
  readonly status?: number;
  /** The `errorType` of a refused call, such as `Extension.InvalidExtensionState`. */
  readonly refusal?: string;
  /** The events that an extension registered for. */
  readonly events?: readonly string[];
  /** The error type header of `init/error`, `exit/error` and `error`. */
  readonly errorType?: string;
  /** The request's body, parsed if it is JSON. */
  readonly body?: unknown;
  /** The process that Lambda started, signalled, or sent an event to. */
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

/** Milliseconds since the environment's first init began, from a monotonic clock. A reset does not restart it. */
export interface Timed {
  readonly atMs: number;
}

/** Like the callback of `Array.prototype.find`. The index distinguishes a second occurrence from the first. */
export type Predicate<Entry> = (entry: Entry, index: number) => boolean;

/** A list to which entries are added. A caller can wait for an entry. */
export interface EntryList<Entry> {
  readonly entries: readonly Entry[];
  add(entry: Entry): void;
  /** Settles with the first entry that matches, including past entries. */
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
