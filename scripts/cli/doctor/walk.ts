/** Takes steps one after another, and tells of each how it went. */
import { Failure } from "../../../extension/failure/failure.ts";
import type { Contents } from "./contents.ts";

/** What a step finds out. */
export interface Finding extends Contents {
  readonly account?: string;
  readonly arn?: string;
}

export type Note = (text: string) => void;

export interface Step {
  readonly name: "GetCallerIdentity" | "AssumeRole" | "GetSecretValue" | "GetParameter";
  /** As which role it is taken; undefined: as oneself. */
  readonly as?: string;
  /** Which role, secret or parameter it is about. */
  readonly of?: string;
  /** Rejects with a Failure. Remarks go to `note`, whatever becomes of the step. */
  readonly take: (note: Note) => Promise<Finding>;
  /** What else can be found out about a failure. It is not part of the step's time. */
  readonly explain?: (failure: Failure, note: Note) => Promise<Failure>;
  /** Those that need this one to succeed. */
  readonly next: readonly Step[];
}

export interface Outcome extends Omit<Step, "take" | "explain" | "next"> {
  /** Undefined where it was not tried, since one before it failed. */
  readonly ok: boolean | undefined;
  readonly ms?: number;
  readonly finding?: Finding;
  readonly failure?: Failure;
  readonly notes: readonly string[];
}

/** `tell` hears of each outcome as soon as there is one. */
export async function walk(
  steps: readonly Step[],
  now: () => number,
  tell: (outcome: Outcome) => void,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  const settle = (outcome: Outcome) => {
    outcomes.push(outcome);
    tell(outcome);
  };
  const skip = ({ take: _take, explain: _explain, next, ...step }: Step) => {
    settle({ ...step, ok: undefined, notes: [] });
    next.forEach(skip);
  };
  const go = async ({ take, explain, next, ...step }: Step) => {
    const notes: string[] = [];
    const note = (text: string) => void notes.push(text);
    const startedAtEpochMs = now();
    const toMs = () => Math.max(0, now() - startedAtEpochMs);
    try {
      const finding = await take(note);
      settle({ ...step, ok: true, ms: toMs(), finding, notes });
    } catch (thrown) {
      if (!(thrown instanceof Failure)) throw thrown;
      const ms = toMs();
      const failure = explain === undefined ? thrown : await explain(thrown, note);
      settle({ ...step, ok: false, ms, failure, notes });
      next.forEach(skip);
      return;
    }
    for (const step of next) await go(step);
  };
  for (const step of steps) await go(step);
  return outcomes;
}
