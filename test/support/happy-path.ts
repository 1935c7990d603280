import { expect } from "vitest";

/** One execution environment, fake or real, with a function of `examples/` in it and the layer beside it. */
export interface Subject {
  /** The function's answer. */
  invoke(): Promise<unknown>;
  shutdown(): Promise<void>;
  /** How many such calls reached AWS, whatever came of them. */
  count(operation: "AssumeRole" | "GetSecretValue"): number;
}

/** Of the secret: what a function answers with. */
export const KEYS = ["username", "password"];

/**
 * What must be seen wherever the layer runs: the secret in static code and in three invocations, for one AssumeRole and one
 * GetSecretValue. The same claims against the fakes and against their real counterparts keep the fakes honest.
 */
export async function expectHappyPath(subject: Subject): Promise<void> {
  for (let invocation = 1; invocation <= 3; invocation += 1) {
    expect(await subject.invoke()).toEqual({ init: KEYS, handler: KEYS });
  }
  await subject.shutdown();
  expect(subject.count("AssumeRole")).toBe(1);
  expect(subject.count("GetSecretValue")).toBe(1);
}
