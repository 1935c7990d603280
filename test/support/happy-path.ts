import { expect } from "vitest";

/** One execution environment, fake or real, with a function of `examples/` and the layer. */
export interface FunctionUnderTest {
  /** Returns the answer of the function. */
  invoke(): Promise<unknown>;
  shutdown(): Promise<void>;
  /** The number of such calls that reached AWS, successful or not. */
  count(operation: "AssumeRole" | "GetSecretValue"): number;
}

/** The keys of the secret, which a function answers with. */
export const KEYS = ["username", "password"];

/**
 * Asserts what is true wherever the layer runs: static code and three invocations get the secret, for one AssumeRole and one
 * GetSecretValue. The fakes and their real counterparts are held to the same claims.
 */
export async function expectHappyPath(subject: FunctionUnderTest): Promise<void> {
  for (let invocation = 1; invocation <= 3; invocation += 1) {
    expect(await subject.invoke()).toEqual({ init: KEYS, handler: KEYS });
  }
  await subject.shutdown();
  expect(subject.count("AssumeRole")).toBe(1);
  expect(subject.count("GetSecretValue")).toBe(1);
}
