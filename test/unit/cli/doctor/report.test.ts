import { describe, expect, it } from "vitest";
import { Failure, type FailureCode } from "../../../../extension/failure/failure.ts";
import {
  toContentsText,
  toJsonReport,
  toOverallExitCode,
  toSecretContents,
  toStepText,
  toSummary,
  wrap,
} from "../../../../scripts/cli/doctor/report.ts";
import type { StepResult } from "../../../../scripts/cli/doctor/take-steps.ts";
import { TARGET_ROLE_ARN as ROLE_ARN } from "../../../support/values.ts";

const ARN = "arn:aws:sts::222222222222:assumed-role/my-lambda-role/me";
const whoAmI: StepResult = { name: "GetCallerIdentity", ok: true, ms: 23, facts: { arn: ARN }, notes: [] };
const assumed: StepResult = { name: "AssumeRole", of: ROLE_ARN, ok: true, ms: 9, facts: { arn: ROLE_ARN }, notes: [] };
const read: StepResult = {
  name: "GetSecretValue",
  as: ROLE_ARN,
  of: "app/db",
  ok: true,
  ms: 1_204,
  facts: { keys: ["password", "username"] },
  notes: [],
};
const untried: StepResult = { name: "GetSecretValue", as: ROLE_ARN, of: "app/db", ok: undefined, notes: [] };

const toFailed = (result: StepResult, code: FailureCode, details: Failure["details"] = {}): StepResult => {
  const { facts: _, ...rest } = result;
  return { ...rest, ok: false, failure: new Failure(code, "it was refused", details) };
};
const toPlain = (result: StepResult) => toStepText(result, (_, text) => text);

describe("a line of doctor's report", () => {
  it.each([
    [whoAmI, `✓  who am I            23 ms  ${ARN}`],
    [{ ...whoAmI, as: ROLE_ARN }, `✓  who am I now        23 ms  ${ARN}`],
    [assumed, `✓  AssumeRole           9 ms  ${ROLE_ARN}`],
    [read, "✓  GetSecretValue    1204 ms  app/db: password, username"],
    [untried, "–  GetSecretValue  not tried  app/db"],
  ])("shows %j", (result, line) => {
    expect(toPlain(result)).toBe(line);
  });

  it("is green for a success, red for a failure and dim for a step that was not tried", () => {
    const styles: unknown[] = [];
    for (const result of [read, toFailed(read, "throttled"), untried]) {
      toStepText(result, (style, text) => {
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
    [
      "a function's role must be trusted as well",
      [whoAmI, assumed, read],
      ["Every step succeeded", ARN, "trust policy"],
    ],
    ["no secret was requested", [whoAmI, assumed], ["Every step succeeded", "--secret"]],
    [
      "the statements name the caller",
      [whoAmI, toFailed(assumed, "assume-role-denied", trust), untried],
      [ARN, "name it instead of yours"],
    ],
    ["the network is that of this machine", [toFailed(whoAmI, "unreachable"), untried], ["network of this machine"]],
  ])("says that %s", (_, results: readonly StepResult[], parts) => {
    const text = toSummary(results, false).replaceAll("\n", " ");
    for (const part of parts) expect(text).toContain(part);
  });

  it("is short in a function, which is its own caller, and empty if the report says everything", () => {
    expect(toSummary([whoAmI, assumed, read], true)).toBe("Every step succeeded.");
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
  const parsed = JSON.parse(toJsonReport([whoAmI, failed, untried], { version: "1.2.3", region: "eu-west-1" }));
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

const tell = (value: string | Uint8Array) => toContentsText(toSecretContents(value));

describe("doctor shows of a secret", () => {
  it.each([
    ["the names of a JSON object's fields, sorted", '{"username":"u","password":"p"}', "password, username"],
    ["that a JSON object has no fields", "{}", "a JSON object without fields"],
    ["the names behind a byte order mark", '\uFEFF{"password":"p"}', "password"],
    ["the length of a text", "hunter2", "a text of 7 characters"],
    ["the length in characters, not in the units that JavaScript counts", "🔑", "a text of 1 character"],
    ["that a text is empty", "", "a text of 0 characters"],
    ["only the length of a JSON array", '["p"]', "a text of 5 characters"],
    ["only the length of a JSON text", '"p"', "a text of 3 characters"],
    ["only the length of a JSON null", "null", "a text of 4 characters"],
    ["only the length of a text that only looks like JSON", '{"password":"p"', "a text of 15 characters"],
  ])("%s", (_, secret, told) => {
    expect(tell(secret)).toBe(told);
  });

  it.each([
    [512, "binary, 512 bytes"],
    [1, "binary, 1 byte"],
  ])("the size of a binary secret: %i", (size, told) => {
    expect(tell(Buffer.alloc(size, "{"))).toBe(told);
  });

  it("escaped names of fields, so that one cannot look like two or move a terminal's cursor", () => {
    const keys = ["a, b", "\u001b[2J", "\u009b2J", "\u202ex", "ä"];
    expect(tell(JSON.stringify(Object.fromEntries(keys.map((key) => [key, 1]))))).toBe(
      String.raw`"\u001b[2J", "a, b", "\u{9b}2J", "ä", "\u{202e}x"`,
    );
  });
});
