/** What a promise fails with. Handled from the first moment, so that a test may let time pass before it looks. */
export function refusalOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => new Error("it did not fail"),
    (thrown: unknown) => thrown,
  );
}
