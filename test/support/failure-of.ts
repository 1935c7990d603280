/** Resolves with what a promise fails with. The failure counts as handled at once, so that a test may let time pass first. */
export function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => new Error("it did not fail"),
    (thrown: unknown) => thrown,
  );
}
