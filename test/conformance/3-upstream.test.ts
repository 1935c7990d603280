/** What callers get if AWS fails on a secret: each row asks both secret routes, and expects the same answer. */
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { Fault } from "../fakes/aws.ts";
import { startBench } from "../support/bench.ts";
import {
  ANY_SECRET,
  ask,
  conform,
  type ExpectedAnswer,
  expectAnswer,
  expectNoLeak,
  type RawAnswer,
  refused,
  shareBench,
  toExpectedText,
  toSeenText,
} from "../support/conformance.ts";
import {
  FUNCTION_ROLE_ARN,
  IN_TARGET_ACCOUNT,
  SECRET_NAME,
  TARGET_ROLE_ARN,
  type TwoAccounts,
} from "../support/two-accounts.ts";

// Longer than the pause before the second try of a throttled call.
const TIMEOUT_MS = 1_500;
const environment = { ...ANY_SECRET, CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: String(TIMEOUT_MS) };

interface UpstreamRow {
  readonly name: string;
  /** A fault of GetSecretValue, for the secret of this row only. */
  readonly fault?: Fault;
  readonly times?: number;
  /** Changes the secret of this row before the requests. */
  readonly prepare?: (accounts: TwoAccounts, secretArn: string) => void;
  readonly isMissing?: true;
  readonly expected: ExpectedAnswer;
  /** The number of GetSecretValue calls, if it does not depend on timing. */
  readonly calls?: number;
}

const error = (code: string, message?: string): Fault => ({
  kind: "error",
  status: code.startsWith("Internal") ? 500 : 400,
  code,
  ...(message === undefined ? {} : { message }),
});
const internalError = error("InternalServiceError");
const always = (name: string, fault: Fault, expected: ExpectedAnswer): UpstreamRow => ({ name, fault, expected });
/** A fault of one call, after which the second call is answered. */
const once = (name: string, fault: Fault): UpstreamRow => ({
  ...{ name, fault, times: 1, calls: 2 },
  expected: { status: 200, body: { VersionStages: ["AWSCURRENT"] } },
});
const denied = refused(403, "AccessDeniedException", "was refused (AccessDeniedException)");
const kmsDenied = refused(403, "AccessDeniedException", "KMS key may not be used");

const rows: readonly UpstreamRow[] = [
  { name: "not found", isMissing: true, expected: refused(404, "ResourceNotFoundException", "no such secret") },
  { name: "denied", fault: { kind: "deny" }, expected: denied },
  {
    name: "KMS denied",
    prepare: ({ aws }) => aws.changeRole(TARGET_ROLE_ARN, { ...reader, usableKeys: [] }),
    expected: kmsDenied,
  },
  { name: "KMS denied, as DecryptionFailure", fault: error("DecryptionFailure"), expected: kmsDenied },
  {
    name: "pending deletion",
    prepare: ({ aws }, arn) => aws.markForDeletion(arn),
    expected: refused(400, "InvalidRequestException", "scheduled for deletion"),
  },
  always("throttled", { kind: "throttle" }, refused(429, "ThrottlingException", "was throttled")),
  once("throttled once, then answered", { kind: "throttle" }),
  once("500 once, then answered", internalError),
  always("500 on every try", internalError, refused(502, "InternalServiceError", "failed at AWS")),
  always("time-out", { kind: "hang" }, refused(504, "TimeoutError", "no answer in time")),
  always("time-out, byte by byte", { kind: "drip", everyMs: 100 }, refused(504, "TimeoutError", "in time")),
  always("reset", { kind: "reset" }, refused(503, "ConnectionError", "could not reach AWS")),
  once("reset once, then answered", { kind: "reset" }),
  always("reset in mid-body", { kind: "reset-mid-body" }, refused(503, "ConnectionError", "reach AWS")),
  always("malformed", { kind: "malformed" }, refused(502, "ConnectionError", "does not come from AWS")),
  ...(
    [
      ["invalid parameter", 400, "InvalidParameterException"],
      ["AWS says that a new session is expired", 502, "ExpiredTokenException"],
      ["AWS says that a new session is unknown", 502, "UnrecognizedClientException"],
      ["signature not accepted", 502, "InvalidSignatureException"],
    ] as const
  ).map(([name, status, code]) => always(name, error(code), refused(status, code, "was refused"))),
  always(
    "AWS's own message with quotes in it",
    error("InternalServiceError", 'not "well" \\ formed'),
    refused(502, "InternalServiceError", "failed at AWS (InternalServiceError)"),
  ),
];

const reader = { trusts: [FUNCTION_ROLE_ARN], readableSecrets: "any" } as const;
const toName = (nth: number) => `row/${nth}`;
const arns: string[] = [];
const bench = shareBench({
  environment,
  prepare({ aws, canaries: [secretString = ""] }) {
    aws.changeRole(TARGET_ROLE_ARN, reader);
    for (const [nth, { isMissing, name }] of rows.entries()) {
      const kmsKey = name === "KMS denied" ? { kmsKey: "arn:aws:kms:eu-west-1:111111111111:key/not-ours" } : {};
      const secret = { ...IN_TARGET_ACCOUNT, name: toName(nth), secretString, ...kmsKey };
      arns.push(isMissing ? "" : aws.createSecret(secret).arn);
    }
  },
});

const group = "upstream";

for (const [nth, { name, fault, times, prepare, expected, calls }] of rows.entries()) {
  const often = calls === undefined ? "" : `, ${calls} × GetSecretValue`;
  conform({ group, name, expected: `${toExpectedText(expected)}${often}` }, async (see) => {
    const { aws } = bench();
    prepare?.(bench(), arns[nth] ?? "");
    const before = aws.count("GetSecretValue");
    const secretId = toName(nth);
    if (fault !== undefined)
      aws.fault("GetSecretValue", fault, { secretId, ...(times === undefined ? {} : { times }) });
    const targets = [`/secretsmanager/get?secretId=${secretId}`, `/v1/${secretId}`];
    const startedMs = performance.now();
    const seen = await Promise.all(targets.map((target) => ask(bench(), { target })));
    const tookMs = performance.now() - startedMs;
    const called = aws.count("GetSecretValue") - before;
    const texts = new Set(seen.map((answer) => toSeenText(answer, expected)));
    see(`${[...texts].join(" | ")}${calls === undefined ? "" : `, ${called} × GetSecretValue`}`);
    expectAll(seen, expected);
    if (calls !== undefined) expect(called).toBe(calls);
    expect(tookMs).toBeLessThan(TIMEOUT_MS + 1_500);
  });
}

function expectAll(seen: readonly RawAnswer[], expected: ExpectedAnswer): void {
  for (const answer of seen) {
    expectAnswer(answer, expected);
    expectNoLeak(answer, bench());
  }
}

const HOUR_MS = 3_600_000;
for (const [name, skewMs] of [
  ["clock skew: our clock is an hour behind", HOUR_MS],
  ["clock skew: our clock is an hour ahead", -HOUR_MS],
] as const) {
  const expected: ExpectedAnswer = { status: 200, body: { Name: SECRET_NAME } };
  conform({ group, name, expected: toExpectedText(expected) }, async (see) => {
    const own = await startBench({ now: () => Date.now() + skewMs });
    await own.lambda.init();
    const answer = await ask(own, { target: `/v1/${SECRET_NAME}` });
    see(toSeenText(answer, expected));
    expectAnswer(answer, expected);
  });
}

conform(
  {
    group,
    name: "expired session: the session of the role ends after three seconds",
    expected: "200 before, 200 after, 2 × AssumeRole",
  },
  async (see) => {
    const own = await startBench({
      environment: { CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "0" },
      prepare: ({ aws }) => aws.changeRole(TARGET_ROLE_ARN, { trusts: [FUNCTION_ROLE_ARN], sessionLifeSeconds: 3 }),
    });
    await own.lambda.init();
    const target = `/v1/${SECRET_NAME}`;
    const before = await ask(own, { target });
    const assumed = own.aws.count("AssumeRole");
    own.aws.changeRole(TARGET_ROLE_ARN, { sessionLifeSeconds: undefined });
    await delay(3_200);
    const after = await ask(own, { target });
    const again = own.aws.count("AssumeRole") - assumed;
    see(`${before.status} before, ${after.status} after, ${1 + again} × AssumeRole`);
    expect([before.status, after.status, again]).toEqual([200, 200, 1]);
  },
);

const roleDenied = refused(403, "AccessDeniedException", "AssumeRole of");
conform({ group, name: "the role may not be assumed", expected: toExpectedText(roleDenied) }, async (see) => {
  const own = await startBench({ prepare: ({ aws }) => aws.changeRole(TARGET_ROLE_ARN, { trusts: [] }) });
  await own.lambda.init();
  const answer = await ask(own, { target: `/v1/${SECRET_NAME}` });
  see(toSeenText(answer, roleDenied));
  expectAnswer(answer, roleDenied);
  expectNoLeak(answer, own);
});
