import { describe, expect, it } from "vitest";
import { Failure, type FailureCode } from "../../../../extension/failure/failure.ts";
import { toJson, toOverallExitCode, toSummary, toText } from "../../../../scripts/cli/doctor/report.ts";
import type { Outcome } from "../../../../scripts/cli/doctor/walk.ts";
import { wrap } from "../../../../scripts/cli/doctor/wrap.ts";
import { TARGET_ROLE_ARN as ROLE_ARN } from "../../../support/values.ts";

const ARN = "arn:aws:sts::222222222222:assumed-role/my-lambda-role/me";
const whoAmI: Outcome = { name: "GetCallerIdentity", ok: true, ms: 23, finding: { arn: ARN }, notes: [] };
const assumed: Outcome = { name: "AssumeRole", of: ROLE_ARN, ok: true, ms: 9, finding: { arn: ROLE_ARN }, notes: [] };
const read: Outcome = {
  name: "GetSecretValue",
  as: ROLE_ARN,
  of: "app/db",
  ok: true,
  ms: 1_204,
  finding: { keys: ["password", "username"] },
  notes: [],
};
const untried: Outcome = { name: "GetSecretValue", as: ROLE_ARN, of: "app/db", ok: undefined, notes: [] };

const toFailed = (outcome: Outcome, code: FailureCode, details: Failure["details"] = {}): Outcome => {
  const { finding: _, ...rest } = outcome;
  return { ...rest, ok: false, failure: new Failure(code, "it was refused", details) };
};
const toPlain = (outcome: Outcome) => toText(outcome, (_, text) => text);

describe("a line of doctor's report", () => {
  it.each([
    [whoAmI, `✓  who am I            23 ms  ${ARN}`],
    [{ ...whoAmI, as: ROLE_ARN }, `✓  who am I now        23 ms  ${ARN}`],
    [assumed, `✓  AssumeRole           9 ms  ${ROLE_ARN}`],
    [read, "✓  GetSecretValue    1204 ms  app/db: password, username"],
    [untried, "–  GetSecretValue  not tried  app/db"],
  ])("shows %j", (outcome, line) => {
    expect(toPlain(outcome)).toBe(line);
  });

  it("is green for a success, red for a failure and dim for a step that was not tried", () => {
    const styles: unknown[] = [];
    for (const outcome of [read, toFailed(read, "throttled"), untried]) {
      toText(outcome, (style, text) => {
        styles.push(style);
        return text;
      });
    }
    expect(styles).toEqual(["green", "red", "dim"]);
  });

  it("is followed by the message, the remedy, the statements to paste, the notes and the cause of a failure", () => {
    const statement = { Effect: "Allow", Action: "sts:AssumeRole", Resource: ROLE_ARN };
    const statements = [{ policy: "identity-policy", of: "the role my-lambda-role", statement }];
    const failed = toFailed(assumed, "assume-role-denied", { remedy: "mend it", statements, requestId: "r-1" });
    expect(toPlain({ ...failed, notes: ["one thing"] })).toBe(`✗  AssumeRole           9 ms  ${ROLE_ARN}

    it was refused.

    Remedy: mend it.

    A statement for a policy of the role my-lambda-role:
      {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Resource": "${ROLE_ARN}"
      }

    Note: one thing.

    Cause assume-role-denied, exit code 20, AWS's request id r-1
`);
  });

  it.each([
    ["trust-policy", ROLE_ARN, `the trust policy of ${ROLE_ARN}`],
    ["key-policy", "the KMS key of app/db", "the policy of the KMS key of app/db"],
    ["permissions-boundary", "the permissions boundary of x", "the permissions boundary of x"],
  ])("says where a statement belongs: %s", (policy, of, place) => {
    const statements = [{ policy, of, statement: {} }];
    expect(toPlain(toFailed(read, "kms-denied", { statements }))).toContain(`    A statement for ${place}:\n`);
  });
});

describe("doctor's summary", () => {
  const trust = { statements: [{ policy: "trust-policy", of: ROLE_ARN, statement: {} }] };
  it.each([
    ["a function's role must be trusted as well", [whoAmI, assumed, read], ["All is well", ARN, "trust policy"]],
    ["no secret was requested", [whoAmI, assumed], ["All is well", "--secret"]],
    [
      "the statements name the caller",
      [whoAmI, toFailed(assumed, "assume-role-denied", trust), untried],
      [ARN, "name it in your place"],
    ],
    ["the network is that of this machine", [toFailed(whoAmI, "unreachable"), untried], ["network of the machine"]],
  ])("says that %s", (_, outcomes: readonly Outcome[], parts) => {
    const text = toSummary(outcomes, false).replaceAll("\n", " ");
    for (const part of parts) expect(text).toContain(part);
  });

  it("is short in a function, which is its own caller, and empty if the report says everything", () => {
    expect(toSummary([whoAmI, assumed, read], true)).toBe("All is well.");
    expect(toSummary([whoAmI, assumed, toFailed(read, "kms-denied")], false)).toBe("");
    expect(toSummary([toFailed(whoAmI, "timeout"), untried], true)).toBe("");
  });
});

it("doctor's exit code is that of the first failure", () => {
  const denied = toFailed(read, "get-secret-value-denied");
  expect(toOverallExitCode([whoAmI, denied, toFailed(read, "kms-denied")])).toBe(30);
  expect(toOverallExitCode([whoAmI, assumed, read])).toBe(0);
});

it("doctor's report as JSON is one object, with null for a step that was not tried", () => {
  const failed = toFailed(assumed, "assume-role-denied", { remedy: "mend it", requestId: "r-1" });
  const parsed = JSON.parse(toJson([whoAmI, failed, untried], { version: "1.2.3", region: "eu-west-1" }));
  expect(parsed).toEqual({
    ok: false,
    exitCode: 20,
    version: "1.2.3",
    region: "eu-west-1",
    steps: [
      { name: "GetCallerIdentity", ok: true, ms: 23, arn: ARN },
      {
        name: "AssumeRole",
        of: ROLE_ARN,
        ok: false,
        ms: 9,
        cause: "assume-role-denied",
        message: "it was refused",
        remedy: "mend it",
        statements: [],
        requestId: "r-1",
      },
      { name: "GetSecretValue", as: ROLE_ARN, of: "app/db", ok: null },
    ],
  });
});

describe("a long text", () => {
  it("is broken at spaces into lines of at most 100 columns", () => {
    const lines = wrap("word ".repeat(60).trim(), { first: "- ", indent: 2 }).split("\n");
    expect(lines).toHaveLength(4);
    expect(lines.map((line) => line.slice(0, 6))).toEqual(["- word", "  word", "  word", "  word"]);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
  });

  it("is not broken within a word to copy or within a given phrase", () => {
    const arn = `arn:aws:iam::111111111111:role/${"x".repeat(90)}`;
    expect(wrap(`see ${arn} there`, { first: "", indent: 0 })).toBe(`see\n${arn}\nthere`);
    expect(wrap(["1 a".padEnd(60, "a"), "2 b".padEnd(60, "b")], { first: "", indent: 0 }).split("\n")).toHaveLength(2);
  });
});
