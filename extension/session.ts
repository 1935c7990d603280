import type { AwsCredentials } from "./aws-environment.ts";

/** Of the target role. */
export interface Session {
  readonly credentials: AwsCredentials;
  /** The how-manieth renewal brought it. */
  readonly order: number;
  /** When it was asked for: over a freeze, the answer may have lain in the socket for hours. */
  readonly askedAtEpochMs: number;
  readonly newForMs: number;
  readonly renewAtEpochMs: number;
  readonly expiresAtEpochMs: number;
}

/** A clock that is behind its beginning has stepped back, and says nothing about how long the session still lives. */
export const isAlive = (session: Session | undefined, atEpochMs: number): session is Session =>
  session !== undefined && atEpochMs >= session.askedAtEpochMs && atEpochMs < session.expiresAtEpochMs;
