import { describe, expect, it } from "vitest";
import { toYaml } from "../../../../scripts/cli/policies/formats/cloudformation.ts";
import { toQuoted } from "../../../../scripts/cli/policies/formats/commands.ts";
import { toJson } from "../../../../scripts/cli/policies/formats/json.ts";
import { toAssignments, toHcl, toHclString } from "../../../../scripts/cli/policies/formats/terraform.ts";
import { runPolicies } from "../../../support/cli.ts";

const print = async (...args: readonly string[]) =>
  (
    await runPolicies([
      ...["--role-arn", "arn:aws-cn:iam::111111111111:role/readers/SecretReader", "--secret", "my-shared-secret"],
      ...["--caller-role-arn", "arn:aws-cn:iam::222222222222:role/my-lambda-role", "--region", "cn-north-1", ...args],
    ])
  ).stdout;

describe("JSON", () => {
  it("has a value on one line if that is not too long", () => {
    const long = "x".repeat(90);
    expect(toJson({ a: { b: [1, "two"] }, c: { d: long, e: "f" } }, 1)).toBe(`{
  "a": { "b": [1, "two"] },
  "c": {
    "d": "${long}",
    "e": "f"
  }
}`);
  });
});

describe("YAML", () => {
  it.each([
    ["arn:aws:iam::1:role/r", "arn:aws:iam::1:role/r"],
    ["2012-10-17", '"2012-10-17"'],
    ["Yes", '"Yes"'],
    ["null", '"null"'],
    ["*", '"*"'],
    ["a-??????", '"a-??????"'],
    ["ends:", '"ends:"'],
    ["a: b", '"a: b"'],
    ["a #b", '"a #b"'],
    ['"', '"\\""'],
  ])("has the text %j as %s", (text, yaml) => {
    expect(toYaml(text)).toBe(yaml);
  });

  it("has lists of objects and lists of texts", () => {
    expect(toYaml({ a: [{ b: "c", d: ["e"] }], f: "g" })).toBe("\na:\n  - b: c\n    d:\n      - e\nf: g");
  });
});

describe("Terraform's language", () => {
  it("escapes what would begin a template in a text", () => {
    expect(toHclString(`\${a} %{b} $c "`)).toBe(`"$\${a} %%{b} $c \\""`);
  });

  it("aligns the equals signs, except for values of several lines", () => {
    expect(
      toAssignments(
        [
          ["a", "1"],
          ["bcd", "2"],
          ["ef", "[\n]"],
          ["g", "3"],
          ["hi", "4"],
        ],
        "",
      ),
    ).toBe("a   = 1\nbcd = 2\nef = [\n]\ng  = 3\nhi = 4");
  });

  it("quotes a key that is not a name", () => {
    expect(toHcl({ "aws:PrincipalArn": ["a", "b"], c: "d" }, 0, "")).toBe(
      '{ "aws:PrincipalArn" = ["a", "b"], c = "d" }',
    );
  });
});

describe("a shell's word", () => {
  it.each([
    ["plain", "plain"],
    ["file://x.json", "file://x.json"],
    ["a b", "'a b'"],
    ["it's $(x)", "'it'\\''s $(x)'"],
    ["", "''"],
  ])("for %j is %s", (text, word) => {
    expect(toQuoted(text)).toBe(word);
  });
});

describe("a format", () => {
  it.each(["cloudformation", "terraform", "cli"])(
    "%s has only the part of the account that --account names",
    async (format) => {
      const [both, a, b] = [
        await print("--format", format),
        await print("--format", format, "--account", "a"),
        await print("--format", format, "--account", "b"),
      ];
      expect(both.startsWith(a) && both.endsWith(b)).toBe(true);
      expect(a).toContain("Account A 111111111111");
      expect(a).not.toContain("Account B");
      expect(b).not.toContain("Account A");
    },
  );

  it("for CloudFormation or Terraform has the role's path, and the key's statement as a comment", async () => {
    const template = await print("--format", "cloudformation");
    expect(template).toMatch(/^ {6}Path: "\/readers\/"$/m);
    expect(template).toMatch(
      /^# - Effect: Allow\n# {3}Principal:\n# {5}AWS: arn:aws-cn:iam::111111111111:role\/readers\/SecretReader$/m,
    );
    const configuration = await print("--format", "terraform");
    expect(configuration).toMatch(/^ {2}path = "\/readers\/"$/m);
    expect(configuration).toMatch(/^# {3}Action {4}= \["kms:Decrypt", "kms:DescribeKey"\]$/m);
  });
});
