/** Which callers are trusted: those with the configured token or, if there is a credentials endpoint, with its session token. */
import { timingSafeEqual } from "node:crypto";
import { type BaseCredentials, toEndpointFailure, toHash } from "../aws/base-credentials.ts";
import { within } from "../cache/deadline.ts";

/** Returns whether one of the headers is a token that is accepted. */
export type CallerCheck = (headers: readonly (string | string[] | undefined)[]) => boolean | Promise<boolean>;

/** A wrong token costs at most one look-up in this time. */
const LOOK_UP_EVERY_MS = 1_000;

/**
 * AWS tells the clients of its own extension to send the session token that their SDK finds, because AWS_SESSION_TOKEN is not
 * set in every initialization type. Under SnapStart the SDK asks the credentials endpoint, whose token changes while we run:
 * https://docs.aws.amazon.com/systems-manager/latest/userguide/ps-integration-lambda-extensions.html
 */
export function createCallerCheck(deps: {
  readonly config: { readonly timeoutMs: number };
  /** Whether a header is the configured token. */
  readonly isToken: (header: string) => boolean;
  readonly baseCredentials: BaseCredentials;
  readonly now: () => number;
}): CallerCheck {
  const { config, isToken, baseCredentials, now } = deps;
  const { sessionTokens } = baseCredentials;
  const isShown = (header: string | string[] | undefined): header is string => typeof header === "string";
  if (sessionTokens === undefined) return (headers) => headers.filter(isShown).some(isToken);

  const isSessionToken = (header: string) => {
    const hash = toHash(header);
    return sessionTokens().some((token) => timingSafeEqual(token, hash));
  };
  let lookUp: Promise<unknown> = Promise.resolve();
  let lookedUpAtEpochMs = Number.NEGATIVE_INFINITY;

  return async (headers) => {
    const shown = headers.filter(isShown).filter((header) => header !== "");
    if (shown.some(isToken) || shown.some(isSessionToken)) return true;
    if (shown.length === 0) return false;
    if (Math.abs(now() - lookedUpAtEpochMs) >= LOOK_UP_EVERY_MS) {
      lookedUpAtEpochMs = now();
      lookUp = baseCredentials.get();
    }
    // If the endpoint fails, nobody can say that the token is wrong.
    const deadlineEpochMs = now() + config.timeoutMs;
    await within({ deadlineEpochMs, now, late: toEndpointFailure, start: () => lookUp });
    return shown.some(isSessionToken);
  };
}
