/** What `policies --check` finds; in test/integration/policies.test.ts a policy engine judges whether that is right. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { parseArguments } from "../../../../scripts/cli/policies/arguments.ts";
import { check } from "../../../../scripts/cli/policies/check/check.ts";
import { runPolicies } from "../../../support/cli.ts";
import { faults, SETUP_ARGUMENTS } from "../../../support/policy-faults.ts";

const folder = mkdtempSync(join(tmpdir(), "policies-"));
afterAll(() => rmSync(folder, { recursive: true }));

const toDocument = <S extends object>(...Statement: S[]) => ({ Version: "2012-10-17", Statement });
const write = (name: string, content: unknown): string => {
  const file = join(folder, name);
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
};
const checkAll = (contents: Readonly<Record<string, unknown>>, args: readonly string[] = []) =>
  runPolicies([...args, "--check", ...Object.entries(contents).map(([name, content]) => write(name, content))]);

/** The documents of the common guide. */
const GUIDE = {
  "trust.json": toDocument({
    Effect: "Allow",
    Principal: { AWS: "arn:aws:iam::222222222222:role/my-lambda-role" },
    Action: "sts:AssumeRole",
    Condition: { StringEquals: { "aws:PrincipalOrgID": "o-exampleorgid" } },
  }),
  "permissions.json": toDocument({
    Effect: "Allow",
    Action: ["secretsmanager:GetSecretValue"],
    Resource: "arn:aws:secretsmanager:eu-west-1:111111111111:secret:my-shared-secret-*",
  }),
  "key.json": toDocument({
    Effect: "Allow",
    Principal: { AWS: "arn:aws:iam::111111111111:role/SecretReader" },
    Action: ["kms:Decrypt", "kms:DescribeKey"],
    Resource: "*",
  }),
  "caller.json": toDocument({
    Effect: "Allow",
    Action: "sts:AssumeRole",
    Resource: "arn:aws:iam::111111111111:role/SecretReader",
  }),
};
const [guideTrust] = GUIDE["trust.json"].Statement;
const [guideRead] = GUIDE["permissions.json"].Statement;
const [guideKey] = GUIDE["key.json"].Statement;
const FROM_SOMEWHERE = { IpAddress: { "aws:SourceIp": "192.0.2.0/24" } };
const GUIDE_ARGUMENTS = [
  ...["--role-arn", "arn:aws:iam::111111111111:role/SecretReader", "--secret", "my-shared-secret"],
  ...["--caller-role-arn", "arn:aws:iam::222222222222:role/my-lambda-role"],
  ...["--region", "eu-west-1", "--organization-id", "o-exampleorgid"],
];

describe("the check", () => {
  it("accepts the guide's own documents, with a note on -*", async () => {
    const { exitCode, stdout } = await checkAll(GUIDE, GUIDE_ARGUMENTS);
    expect(stdout.trim().split("\n")).toEqual([
      `${join(folder, "permissions.json")} (permissions policy): note: statement 1 has arn:aws:secretsmanager:eu-west-1:111111111111:secret:my-shared-secret-*, which also allows longer names, such as my-shared-secret-prod: -?????? does not`,
    ]);
    expect(exitCode).toBe(0);
  });

  it("accepts them without arguments too, and says what it could not check", async () => {
    const { exitCode, stdout } = await checkAll(GUIDE, []);
    const lines = stdout.trim().split("\n");
    expect(lines.filter((line) => line.includes(": note: "))).toEqual(lines);
    const unchecked = lines.filter((line) => line.includes("was not checked: --"));
    expect(unchecked.map((line) => /\((.*?)\)/.exec(line)?.[1])).toEqual([
      "trust policy",
      "permissions policy",
      "key policy",
      "caller's policy",
    ]);
    expect(exitCode).toBe(0);
  });

  it.each([
    ["role", GUIDE_ARGUMENTS],
    ["account", [...GUIDE_ARGUMENTS, "--principal", "account"]],
    [
      "account, for a role whose path is unknown",
      [
        "--caller-role-arn",
        "arn:aws:sts::222222222222:assumed-role/my-lambda-role/i-1",
        ...GUIDE_ARGUMENTS.slice(0, 4),
        ...GUIDE_ARGUMENTS.slice(6),
      ],
    ],
    ["role, with every option", SETUP_ARGUMENTS],
  ])("finds nothing in the documents that `policies` prints for the principal %s", async (_, args) => {
    const { stdout } = await runPolicies(args);
    expect(await checkAll({ "all.json": stdout }, args)).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });

  it.each(faults)("finds $name in the $documentName", async ({ documentName, statements, severity, says }) => {
    const { exitCode, stdout } = await checkAll({ "faulty.json": toDocument(...statements) }, [
      ...SETUP_ARGUMENTS,
      ...["--format", "json"],
    ]);
    const found: { severity: string; document: string; message: string }[] = JSON.parse(stdout).findings;
    expect(found).toContainEqual(
      expect.objectContaining({ severity, document: documentName, message: expect.stringMatching(says) }),
    );
    expect(exitCode).toBe(1);
  });

  it("prints one line for each finding, with the corrected statement", async () => {
    const document = toDocument({ Effect: "Allow", Action: "sts:AssumeRole", Resource: "*" });
    const { stdout } = await checkAll({ "wide.json": document }, GUIDE_ARGUMENTS);
    expect(stdout).toBe(
      `${join(folder, "wide.json")} (caller's policy): too wide: statement 1 lets it assume every role that matches * and trusts it, not only arn:aws:iam::111111111111:role/SecretReader; replace statement 1 by {"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::111111111111:role/SecretReader"}\n`,
    );
  });

  it.each<[string, unknown, RegExp]>([
    ["text that is not JSON", '{"Version": }', /missing: this is not JSON/],
    ["JSON without a policy", { Version: "2012-10-17" }, /missing: it contains no policy/],
    ["an unknown version", { Version: "2012-10-18", Statement: [] }, /"Version" must be "2012-10-17"/],
    [
      "an unknown element",
      toDocument({ Effect: "Allow", Actions: "sts:AssumeRole" }),
      /"Actions", which is not an element of a statement; did you mean Action\?/,
    ],
    ["no effect", toDocument({ Action: "sts:AssumeRole", Resource: "*" }), /must have an "Effect"/],
    ["no action", toDocument({ Effect: "Allow", Resource: "*" }), /must have an "Action"/],
    [
      "an unknown operator",
      toDocument({ Effect: "Allow", Action: "sts:AssumeRole", Principal: "*", Condition: { StringEqual: { a: "b" } } }),
      /operator "StringEqual", which does not exist/,
    ],
    ["no resource", toDocument({ Effect: "Allow", Action: "sts:AssumeRole" }), /must have a "Resource"/],
    [
      "a resource in a trust policy",
      toDocument({
        Effect: "Allow",
        Action: "sts:AssumeRole",
        Principal: { AWS: "arn:aws:iam::222222222222:role/r" },
        Resource: "*",
      }),
      /has a "Resource", which a trust policy must not have/,
    ],
    [
      "trust in every account",
      toDocument({ Effect: "Allow", Action: "sts:AssumeRole", Principal: "*" }),
      /too wide: statement 1 trusts everyone, in every account\n/,
    ],
    [
      "a deleted principal",
      toDocument({ Effect: "Allow", Action: "sts:AssumeRole", Principal: { AWS: "AROAEXAMPLEEXAMPLE123" } }),
      /missing: statement 1 trusts AROAEXAMPLEEXAMPLE123/,
    ],
    [
      "a name without the six characters",
      toDocument({
        Effect: "Allow",
        Action: "secretsmanager:GetSecretValue",
        Resource: "arn:aws:secretsmanager:eu-west-1:111111111111:secret:database",
      }),
      /six characters.*; add .*secret:database-\?{6}"/,
    ],
  ])("finds %s without arguments", async (_, content, says) => {
    const { exitCode, stdout } = await checkAll({ "x.json": content });
    expect(stdout).toMatch(says);
    expect(stdout.split("\n")).toHaveLength(2);
    expect(exitCode).toBe(1);
  });

  it.each<[string, unknown, RegExp]>([
    ["a version is missing", { Statement: GUIDE["caller.json"].Statement }, /note: "Version" is missing/],
    [
      "an ARN may be a name",
      toDocument({
        Effect: "Allow",
        Action: "secretsmanager:GetSecretValue",
        Resource: "arn:aws:secretsmanager:eu-west-1:111111111111:secret:my-shared-secret",
      }),
      /note: .* as a whole ARN: if my-shared-secret is the secret's name/,
    ],
    [
      "a service is trusted too",
      toDocument({ Effect: "Allow", Action: "sts:AssumeRole", Principal: { Service: "ec2.amazonaws.com" } }),
      /note: statement 1 trusts ec2.amazonaws.com, too/,
    ],
    [
      "a document is none of the four policies",
      toDocument({ Effect: "Allow", Action: "s3:GetObject", Resource: "*" }),
      /note: this is none of the four policies/,
    ],
  ])("notes that %s, which is not a fault", async (_, content, says) => {
    const { exitCode, stdout } = await checkAll({ "x.json": content });
    expect(stdout).toMatch(says);
    expect(exitCode).toBe(0);
  });

  it.each<[string, readonly object[], RegExp]>([
    [
      "an Allow",
      [{ ...guideTrust, Condition: { ...guideTrust?.Condition, ...FROM_SOMEWHERE } }],
      /note: statement 1 allows sts:AssumeRole if its condition on aws:SourceIp is met, which cannot be checked/,
    ],
    [
      "a Deny",
      [guideTrust ?? {}, { ...guideTrust, Effect: "Deny", Condition: FROM_SOMEWHERE }],
      /note: statement 2 denies sts:AssumeRole, if its condition on aws:SourceIp is met/,
    ],
  ])("notes what it cannot judge in %s", async (_, statements, says) => {
    const { exitCode, stdout } = await checkAll({ "x.json": toDocument(...statements) }, GUIDE_ARGUMENTS);
    expect(stdout).toMatch(says);
    expect(exitCode).toBe(0);
  });

  it("accepts an organization that a Deny requires", async () => {
    const document = toDocument(
      { ...guideTrust, Condition: undefined },
      {
        ...{ Effect: "Deny", Principal: "*", Action: "sts:AssumeRole" },
        Condition: { StringNotEquals: { "aws:PrincipalOrgID": "o-exampleorgid" } },
      },
    );
    expect(await checkAll({ "trust.json": document }, GUIDE_ARGUMENTS)).toMatchObject({ exitCode: 0, stdout: "" });
  });

  it("accepts a key policy that delegates to the role's permissions, if these allow it", async () => {
    const permissions = toDocument(
      { ...guideRead, Resource: "arn:aws:secretsmanager:eu-west-1:111111111111:secret:my-shared-secret-??????" },
      { Effect: "Allow", Action: "kms:Decrypt", Resource: "arn:aws:kms:eu-west-1:111111111111:key/k" },
    );
    const leaving = toDocument({ ...guideKey, Principal: { AWS: "arn:aws:iam::111111111111:root" }, Action: "kms:*" });
    expect(await checkAll({ "k.json": leaving, "p.json": permissions }, GUIDE_ARGUMENTS)).toMatchObject({
      exitCode: 0,
      stdout: "",
    });
    expect(await checkAll({ "k.json": leaving }, GUIDE_ARGUMENTS)).toMatchObject({ exitCode: 1 });
  });

  it.each<[string, unknown]>([
    ["aws iam get-role", { Role: { RoleName: "r", AssumeRolePolicyDocument: GUIDE["trust.json"] } }],
    ["aws iam get-role-policy", { RoleName: "r", PolicyDocument: GUIDE["caller.json"] }],
    ["aws iam get-policy-version", { PolicyVersion: { Document: GUIDE["permissions.json"] } }],
    ["aws kms get-key-policy", { Policy: JSON.stringify(GUIDE["key.json"]) }],
    ["a person with one statement", guideKey],
    ["an editor with a byte order mark", `\uFEFF${JSON.stringify(GUIDE["trust.json"])}`],
  ])("reads a document in the form that comes from %s", async (_, content) => {
    const wrong = [
      "--role-arn",
      "arn:aws:iam::444444444444:role/Other",
      "--caller-role-arn",
      "arn:aws:iam::444444444444:role/other",
    ];
    const secret = ["--secret", "other", "--region", "eu-west-1"];
    expect(await checkAll({ "x.json": content }, GUIDE_ARGUMENTS)).toMatchObject({ exitCode: 0 });
    expect((await checkAll({ "x.json": content }, [...wrong, ...secret])).stdout).toMatch(
      /: missing: .* is not allowed: statement 1/,
    );
  });

  it("reports an object in place of a text, whatever the names of its members", () => {
    const setup = parseArguments(["--check", "x.json", ...SETUP_ARGUMENTS], {});
    if (setup.is !== "check") throw new Error("not a check");
    const text = '{"Statement":[{"Effect":"Allow","Action":{"toString":1,"valueOf":1},"Resource":"*"}]}';
    expect(check([{ name: "x.json", text }], setup.setup)).not.toEqual([]);
  });

  it("keeps a condition on an external ID that no argument gives, and says so", async () => {
    const [statement] = GUIDE["trust.json"].Statement;
    const Condition = { StringEquals: { "sts:ExternalId": "partner-7" } };
    const trust = { Version: "2012-10-17", Statement: [{ ...statement, Condition }] };
    const { exitCode, stdout } = await checkAll({ "trust.json": trust }, GUIDE_ARGUMENTS.slice(0, 8));
    expect(stdout).toContain("condition on sts:ExternalId is met, which cannot be checked");
    expect(stdout).not.toContain("replace statement");
    expect(exitCode).toBe(0);
  });

  it("recognizes the caller's policy if it also allows reads in the caller's own account", async () => {
    const [statement] = GUIDE["caller.json"].Statement;
    const own = {
      Effect: "Allow",
      Action: "ssm:GetParameter",
      Resource: "arn:aws:ssm:eu-west-1:222222222222:parameter/own",
    };
    const caller = { Version: "2012-10-17", Statement: [statement, own] };
    const { stdout } = await checkAll({ "caller.json": caller }, GUIDE_ARGUMENTS);
    expect(stdout).not.toContain("missing");
    expect(stdout).not.toContain("remove statement 1");
  });

  it.each([
    [
      "trust.json",
      { ...guideTrust, Principal: { AWS: ["arn:aws:iam::222222222222:role/my-lambda-role", "333333333333"] } },
    ],
    [
      "key.json",
      {
        ...guideKey,
        Principal: { AWS: ["arn:aws:iam::111111111111:role/SecretReader", "arn:aws:iam::111111111111:role/Admin"] },
        Action: ["kms:Decrypt", "kms:GenerateDataKey*"],
      },
    ],
  ])("suggests no replacement for a statement that another principal or action needs: %s", async (name, statement) => {
    const { exitCode, stdout } = await checkAll({ [name]: toDocument(statement) }, GUIDE_ARGUMENTS);
    expect(stdout).toContain("too wide");
    expect(stdout).not.toMatch(/(replace|remove) statement/);
    expect(exitCode).toBe(1);
  });

  it.each([
    ["for the caller", "arn:aws:iam::222222222222:role/my-lambda-role", true],
    ["for every principal", "*", true],
    ["for another account", "arn:aws:iam::999999999999:root", false],
  ])("treats a Deny %s (%s) as a requirement of the external ID: %s", async (_, AWS, isEnough) => {
    const [key, condition] = ["sts:ExternalId", "StringNotEquals"];
    const allow = { Effect: "Allow", Principal: guideTrust?.Principal, Action: "sts:AssumeRole" };
    const deny = {
      Effect: "Deny",
      Principal: { AWS },
      Action: "sts:AssumeRole",
      Condition: { [condition]: { [key]: "abc" } },
    };
    const args = [...GUIDE_ARGUMENTS.slice(0, 8), "--external-id", "abc"];
    const { stdout } = await checkAll({ "trust.json": toDocument(allow, deny) }, args);
    expect(!stdout.includes("does not require sts:ExternalId")).toBe(isEnough);
  });

  it("accepts trust in a session of the caller's role, and notes that it is only that session", async () => {
    const AWS = "arn:aws:sts::222222222222:assumed-role/my-lambda-role/my-function";
    const trust = toDocument({ ...guideTrust, Principal: { AWS } });
    const { exitCode, stdout } = await checkAll({ "trust.json": trust }, GUIDE_ARGUMENTS);
    expect(stdout).toMatch(/note: statement 1 trusts arn:aws:sts::222222222222:\S+, but no session of another name\n$/);
    expect(exitCode).toBe(0);
  });

  it("does not judge a resource whose text depends on the request", async () => {
    const variable = ["$", "{aws:PrincipalAccount}"].join("");
    const Resource = `arn:aws:secretsmanager:eu-west-1:${variable}:secret:my-shared-secret-??????`;
    const { exitCode, stdout } = await checkAll(
      { "permissions.json": toDocument({ ...guideRead, Resource }) },
      GUIDE_ARGUMENTS,
    );
    expect(stdout).toContain(variable);
    expect(stdout).toContain("cannot be checked here");
    expect(exitCode).toBe(0);
  });

  it("accepts statements without a document around them", async () => {
    const own = { Effect: "Allow", Action: "logs:*", Resource: "*" };
    const { stdout, exitCode } = await checkAll(
      { "caller.json": [GUIDE["caller.json"].Statement[0], own] },
      GUIDE_ARGUMENTS,
    );
    expect([stdout, exitCode]).toEqual(["", 0]);
  });

  it("accepts any JSON as a policy without an exception", () => {
    const setup = parseArguments(["--check", "x.json", ...SETUP_ARGUMENTS], {});
    if (setup.is !== "check") throw new Error("not a check");
    const odd = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom("*", "sts:AssumeRole", "kms:*", "Allow", "Deny"),
    );
    const condition = fc.dictionary(fc.constantFrom("StringEquals", "Null", "ForAllValues:ArnLike", "x"), odd);
    const statement = fc.record(
      {
        ...{
          Effect: fc.constantFrom("Allow", "Deny", "allow"),
          Principal: odd,
          NotPrincipal: odd,
          Action: odd,
          NotAction: odd,
          Resource: odd,
        },
        ...{ NotResource: odd, Condition: fc.oneof(condition, odd) },
      },
      { requiredKeys: ["Effect", "Action"] },
    );
    const document = fc.record({ Version: odd, Statement: fc.oneof(odd, fc.array(statement)) }, { requiredKeys: [] });
    fc.assert(
      fc.property(document, (content) => {
        const findings = check([{ name: "x.json", text: JSON.stringify(content) }], setup.setup);
        expect(findings.every(({ message }) => message.length > 0)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it("colours severities on a terminal", async () => {
    const { stdout } = await runPolicies(["--check", write("x.json", "{")], { isTerminal: true });
    expect(stdout).toContain(": <red>missing</>: ");
  });

  it("reports a file that cannot be read", async () => {
    const { exitCode, stderr } = await runPolicies(["--check", join(folder, "not-there.json")]);
    expect(stderr).toMatch(/not-there\.json cannot be read \(ENOENT\)/);
    expect(exitCode).toBe(2);
  });
});
