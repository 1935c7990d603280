/** What a random life consists of: settings, what is asked for, and steps. */
import fc from "fast-check";
import { OTHER_ROLE_ARN, TARGET_ROLE_ARN } from "../values.ts";

export const TTL_MS = 60_000;
export const MAX_STALE_MS = 600_000;
export const TIMEOUT_MS = 2_500;
export const SESSION_LIFE_MS = 900_000;
export const FAILOVER_REGION = "us-east-1";
export const ROLES = [TARGET_ROLE_ARN, OTHER_ROLE_ARN] as const;

export type ValueKind = "secret" | "parameter";
export interface Subject {
  readonly kind: ValueKind;
  readonly name: string;
}

/** What AWS, or the way to it, may answer instead of a value. */
const sdkFaults = [
  "throttled",
  "server",
  "unreachable",
  "nonsense",
  "expired",
  "denied",
  "kms",
  "gone",
  "deleted",
] as const;
export type SdkFault = (typeof sdkFaults)[number];
/** With these, AWS refuses. */
export const refusals: readonly SdkFault[] = ["denied", "kms", "gone", "deleted"];

const settings = fc.record({
  sources: fc.constantFrom(1, 1, 2),
  /**
   * `names`: each secret has one id. `clear`: ids of which each names one secret. `all`: also ids that may name two, since
   * the end of an ARN may be random or part of the name.
   */
  ids: fc.constantFrom("names", "clear", "all"),
  ttlMs: fc.constantFrom(TTL_MS, TTL_MS, TTL_MS, 0),
  maxStaleMs: fc.constantFrom(MAX_STALE_MS, MAX_STALE_MS, 0),
  cacheSize: fc.constantFrom(1_000, 1_000, 4, 2, 1),
  hasFailover: fc.constantFrom(false, false, true),
  isConfigured: fc.constantFrom(false, false, true),
  /** Whether AWS may refuse what is asked. */
  hasRefusals: fc.constantFrom(true, true, false),
  random: fc.constantFrom(0.5, 0, 0.99),
  /** Whether the roles are assumed before the first step. */
  hasSession: fc.constantFrom(true, true, false),
});
export type LifeSettings = ReturnType<typeof settings.generate>["value"];

const request = fc.record({
  subject: fc.nat({ max: 2 }),
  form: fc.nat({ max: 1 }),
  id: fc.constantFrom("name", "arn", "partial arn"),
  generation: fc.constantFrom(0, 0, 1),
  source: fc.constantFrom(0, 0, 1),
  /** The account and the region of an ARN. A name is in the role's account, in the home region. */
  isForeign: fc.constantFrom(false, false, false, true),
  isInOtherRegion: fc.constantFrom(false, false, false, true),
  givesRole: fc.constantFrom(true, true, false),
});
export type RequestChoice = ReturnType<typeof request.generate>["value"];

const [which, nth] = [fc.nat({ max: 5 }), fc.nat({ max: 4 })];
const ms = fc.constantFrom(1, 20, 250, 500, 1_000, 2_480, 5_000, 10_000, 45_000, TTL_MS, MAX_STALE_MS);
const longMs = fc.constantFrom(TTL_MS + MAX_STALE_MS, SESSION_LIFE_MS);
const refreshNow = fc.constantFrom(false, false, true);

const stepsByName = {
  read: fc.record({ kind: fc.constant("read" as const), which, refreshNow }),
  /** A read, and AWS answers at once. */
  fetch: fc.record({ kind: fc.constant("fetch" as const), which, refreshNow }),
  invalidate: fc.record({ kind: fc.constant("invalidate" as const), which }),
  prefetch: fc.record({ kind: fc.constant("prefetch" as const) }),
  answer: fc.record({ kind: fc.constant("answer" as const), nth }),
  answerAll: fc.record({ kind: fc.constant("answer all" as const) }),
  fail: fc.record({ kind: fc.constant("fail" as const), nth, fault: fc.constantFrom<SdkFault>(...sdkFaults) }),
  pass: fc.record({ kind: fc.constant("pass" as const), ms }),
  passLong: fc.record({ kind: fc.constant("pass" as const), ms: longMs }),
  freeze: fc.record({ kind: fc.constant("freeze" as const), ms, answersFirst: fc.boolean() }),
  stepOn: fc.record({ kind: fc.constant("step" as const), ms }),
  stepBack: fc.record({ kind: fc.constant("step" as const), ms: ms.map((by) => -by) }),
  rotate: fc.record({ kind: fc.constant("rotate" as const), which }),
  createAgain: fc.record({ kind: fc.constant("create again" as const), which }),
  revoke: fc.record({ kind: fc.constant("revoke" as const) }),
};
type Steps = typeof stepsByName;
export type Step = { [Name in keyof Steps]: ReturnType<Steps[Name]["generate"]>["value"] }[keyof Steps];

/** A life is about few subjects in few forms, so that what happens to one request meets what happens to another. */
interface Style {
  readonly subjects: readonly (readonly Subject[])[];
  readonly mostForms: number;
  readonly toSettings: (given: LifeSettings) => LifeSettings;
  readonly toRequest: (given: RequestChoice) => RequestChoice;
  /** How often a step is taken, in relation to the others. */
  readonly weights: Partial<Readonly<Record<keyof Steps, number>>>;
}

const toSubjects = (kind: ValueKind, ...names: readonly string[]): readonly Subject[] =>
  names.map((name) => ({ kind, name }));
/** Two secrets, one of which has a name that looks like the end of the other's ARN. */
const [one, alike] = [toSubjects("secret", "my"), toSubjects("secret", "my", "my-abcdef")];
/** A secret of 3 MB each. */
const big = toSubjects("secret", "big-1", "big-2", "big-3");
const common = { pass: 6, freeze: 1, stepBack: 1, createAgain: 1, revoke: 1 };

const styles = {
  /** Everything, now and then. AWS has no secret `missing`. */
  mixed: {
    subjects: [
      one,
      alike,
      toSubjects("secret", "my", "other", "missing"),
      big,
      toSubjects("parameter", "/my/flag", "flag"),
      [...one, ...toSubjects("parameter", "/my/flag")],
    ],
    mostForms: 2,
    toSettings: (given) => given,
    toRequest: (given) => given,
    weights: {
      ...{ ...common, read: 16, fetch: 8, invalidate: 2, prefetch: 1, answer: 8, answerAll: 6, fail: 7 },
      ...{ passLong: 1, freeze: 2, stepOn: 1, rotate: 1 },
    },
  },
  /** Fetches of one secret meet each other, and AWS answers them in any order. */
  crowded: {
    subjects: [one, alike],
    mostForms: 1,
    toSettings: (given) => ({ ...given, sources: 1, hasFailover: false, hasRefusals: true, hasSession: true }),
    toRequest: (given) => ({ ...given, isForeign: false, isInOtherRegion: false }),
    weights: { ...common, read: 12, answer: 8, fail: 4, pass: 2, invalidate: 1, createAgain: 2, revoke: 0 },
  },
  /** There are more values than the cache may hold. */
  full: {
    subjects: [toSubjects("secret", "my", "other", "third"), toSubjects("parameter", "/my/flag", "flag"), big],
    mostForms: 2,
    toSettings: (given) => ({
      ...given,
      ...{ ttlMs: TTL_MS, cacheSize: given.cacheSize === 1_000 ? 4 : given.cacheSize, isConfigured: false },
      ids: given.ids === "all" ? "clear" : given.ids,
    }),
    toRequest: (given) => ({ ...given, isForeign: false }),
    weights: { ...common, fetch: 20, read: 8, answer: 4, answerAll: 1, fail: 1, pass: 2, createAgain: 0 },
  },
  /** The session of the role ends, is revoked, and is replaced under the requests. */
  sessions: {
    subjects: [one, toSubjects("parameter", "/my/flag")],
    mostForms: 1,
    toSettings: (given) => ({ ...given, hasRefusals: true, hasSession: true }),
    toRequest: (given) => given,
    weights: { ...common, fetch: 6, read: 8, answer: 8, fail: 4, passLong: 2, revoke: 4, stepOn: 1 },
  },
} satisfies Readonly<Record<string, Style>>;
export type StyleName = keyof typeof styles;

function toLives({ subjects, mostForms, toSettings, toRequest, weights }: Style) {
  const steps = Object.entries(stepsByName).map(([name, arbitrary]) => ({
    arbitrary: arbitrary as fc.Arbitrary<Step>,
    weight: weights[name as keyof Steps] ?? 0,
  }));
  return fc.record({
    settings: settings.map(toSettings),
    subjects: fc.constantFrom(...subjects),
    forms: fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: mostForms }),
    requests: fc.array(request.map(toRequest), { minLength: 1, maxLength: 5, size: "max" }),
    steps: fc.array(fc.oneof(...steps), { maxLength: 60, size: "max" }),
  });
}
export type Life = ReturnType<ReturnType<typeof toLives>["generate"]>["value"];

/** Lives of these styles, or of all. */
export const livesOf = (...names: readonly StyleName[]): fc.Arbitrary<Life> =>
  fc.oneof(
    ...Object.entries(styles).flatMap(([name, style]) => (names.includes(name as StyleName) ? [toLives(style)] : [])),
  );
export const allStyles = Object.keys(styles) as readonly StyleName[];
