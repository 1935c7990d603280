/** Takes steps one after another, and tells the result of each. */
import { Failure } from "../../../extension/failure/failure.ts";

/** What doctor tells about a secret: how it is built, and nothing of its value. */
export interface SecretContents {
  /** The names of a JSON object's fields, sorted. */
  readonly keys?: readonly string[];
  /** For any other value: what it is, and how long. */
  readonly form?: string;
}

export interface StepFacts extends SecretContents {
  readonly account?: string;
  readonly arn?: string;
}

export type AddNote = (text: string) => void;

export interface DoctorStep {
  readonly name: "GetCallerIdentity" | "AssumeRole" | "GetSecretValue" | "GetParameter";
  /** The role that takes it; undefined for the caller of doctor. */
  readonly as?: string;
  /** The role, secret or parameter that it is about. */
  readonly of?: string;
  /** Rejects with a Failure. Notes are shown whether the step succeeds or fails. */
  readonly take: (addNote: AddNote) => Promise<StepFacts>;
  /** Adds to a failure what else can be found out. Its time does not count. */
  readonly explain?: (failure: Failure, addNote: AddNote) => Promise<Failure>;
  /** The steps that need this one to succeed. */
  readonly next: readonly DoctorStep[];
}

export interface StepResult extends Omit<DoctorStep, "take" | "explain" | "next"> {
  /** Undefined if the step was not tried, because one that it needs has failed. */
  readonly ok: boolean | undefined;
  readonly ms?: number;
  readonly facts?: StepFacts;
  readonly failure?: Failure;
  readonly notes: readonly string[];
}

/** Calls `tell` with each result at once. */
export async function takeSteps(
  steps: readonly DoctorStep[],
  now: () => number,
  tell: (result: StepResult) => void,
): Promise<readonly StepResult[]> {
  const results: StepResult[] = [];
  const add = (result: StepResult) => {
    results.push(result);
    tell(result);
  };
  const skip = ({ take: _take, explain: _explain, next, ...step }: DoctorStep) => {
    add({ ...step, ok: undefined, notes: [] });
    next.forEach(skip);
  };
  const takeStep = async ({ take, explain, next, ...step }: DoctorStep) => {
    const notes: string[] = [];
    const addNote = (text: string) => void notes.push(text);
    const startedAtEpochMs = now();
    const toMs = () => Math.max(0, now() - startedAtEpochMs);
    try {
      const facts = await take(addNote);
      add({ ...step, ok: true, ms: toMs(), facts, notes });
    } catch (thrown) {
      if (!(thrown instanceof Failure)) throw thrown;
      const ms = toMs();
      const failure = explain === undefined ? thrown : await explain(thrown, addNote);
      add({ ...step, ok: false, ms, failure, notes });
      next.forEach(skip);
      return;
    }
    for (const nextStep of next) await takeStep(nextStep);
  };
  for (const step of steps) await takeStep(step);
  return results;
}
