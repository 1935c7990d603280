/**
 * What must not outlive a restore from a SnapStart snapshot: values, credentials, and what tells this environment from
 * others. It is made anew when it is next asked for.
 *
 * Lambda tells no extension of a restore. But of the two clocks only the wall clock goes on between snapshot and restore,
 * while over a freeze both do, as measured by https://github.com/aws/aws-lambda-web-adapter/issues/830.
 */
export function createRestorable<T>(parts: {
  readonly make: () => T;
  readonly config: { readonly isSnapStart: boolean };
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
  /** In milliseconds, from any moment on. */
  readonly monotonicNow: () => number;
}): () => T {
  const { make, config, now, monotonicNow } = parts;
  const toOffsetMs = () => now() - monotonicNow();
  let offsetMs = toOffsetMs();
  let made = make();
  // Anywhere else it is but a clock that was set, of which values and sessions take care themselves.
  if (!config.isSnapStart) return () => made;
  return () => {
    if (Math.abs(toOffsetMs() - offsetMs) > JUMP_MS) made = make();
    offsetMs = toOffsetMs();
    return made;
  };
}

/** Far above what a clock is slewed by between two requests, and below the time that it takes to restore a snapshot. */
const JUMP_MS = 2_000;
