/**
 * What AWS's own text tells of a refusal, as public facts: who was refused what, and by which policy. Nothing else of the
 * text goes on from here. Pure.
 *
 * The form of these texts: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
 */
import type { Caller } from "./policy-statements.ts";

/** The kinds of policies that AWS names. */
export const policyTypes = [
  "identity-based policy",
  "resource-based policy",
  "role trust policy",
  "permissions boundary",
  "service control policy",
  "resource control policy",
  "session policy",
  "VPC endpoint policy",
] as const;
export type PolicyType = (typeof policyTypes)[number];

export interface Denial {
  /** Undefined where AWS does not say, or says it of something that is neither a role's session nor a user. */
  readonly caller: Caller | undefined;
  /** What was to be allowed, such as `sts:TagSession`. */
  readonly action: string | undefined;
  /** A policy forbids it, rather than that none allows it. */
  readonly isExplicit: boolean;
  /** Across accounts AWS does not say. */
  readonly policyType: PolicyType | undefined;
  /** Secrets Manager says nothing but this where KMS refuses; Parameter Store hands on KMS's own refusal. */
  readonly isAboutKms: boolean;
  /** The key is there, and cannot be used by anybody. */
  readonly isKeyUnusable: boolean;
  /** It is the account's own key for Secrets Manager, which other accounts may not use. */
  readonly isDefaultKey: boolean;
  /** The secret is there, and the version or stage is not. */
  readonly isAboutVersion: boolean;
  readonly isAboutClock: boolean;
}

/** Whole or not at all: a user's path may hold other characters, and half of it is another user. */
const CALLER = /\bUser: arn:(aws[a-z-]{0,20}):(?:sts|iam)::(\d{12}):(assumed-role|user)\/([\w+=,.@/-]{1,600})(?=\s|$)/;
const ACTION = /\bnot authorized to perform: ((?:sts|secretsmanager|ssm|kms):[A-Za-z]{1,64})\b/;
const EXPLICIT = /\bwith an explicit deny\b/;
const KMS = /\bAccess to KMS\b|\bperform: kms:|\(Service: (AWSKMS|Kms)\b/;
/** What KMS says of a key, and what it calls that: https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html */
const KEY_STATE = /:key\/\S+ is (disabled|pending)\b|\bError Code: (Disabled|KMSInvalidState)Exception\b/;
const DEFAULT_KEY = /\bdefault KMS service key\b/;
const VERSION = /\bsecret value for\b/;
const CLOCK = /\bSignature (expired|not yet current)\b/;

export function parseDenial(text: string): Denial {
  return {
    caller: toCaller(text),
    action: ACTION.exec(text)?.[1],
    isExplicit: EXPLICIT.test(text),
    policyType: policyTypes.find(
      (type) => text.includes(` no ${type} allows`) || /deny in (?:an?|the) (.*)/.exec(text)?.[1]?.startsWith(type),
    ),
    isAboutKms: KMS.test(text),
    isKeyUnusable: KEY_STATE.test(text),
    isDefaultKey: DEFAULT_KEY.test(text),
    isAboutVersion: VERSION.test(text),
    isAboutClock: CLOCK.test(text),
  };
}

/** A session's ARN has the role's name, without its path, and the session's. A user's has all of it. */
export function toCaller(text: string): Caller | undefined {
  const [, partition, accountId, kind, rest] = CALLER.exec(text) ?? [];
  if (partition === undefined || accountId === undefined || rest === undefined) return undefined;
  if (kind === "assumed-role") {
    return { partition, accountId, kind: "role", name: rest.split("/")[0] ?? "", path: undefined };
  }
  const slash = rest.lastIndexOf("/") + 1;
  return { partition, accountId, kind: "user", name: rest.slice(slash), path: `/${rest.slice(0, slash)}` };
}
