/** The values that the templates of both accounts accept, and the deployments in the documentation. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");

interface Parameter {
  readonly isRequired: boolean;
  readonly accepts: (value: string) => boolean;
}

/** Reads the parameters of a template. All templates in this repository have the same form. */
function readParameters(file: string): Map<string, Parameter> {
  const section = /\nParameters:\n(.*?)\n\w/s.exec(read(file))?.[1] ?? "";
  const blocks = section.split(/^ {2}(?=\w+:$)/m).filter((block) => block.trim() !== "");
  return new Map(
    blocks.map((block) => {
      const pattern = /^ {4}AllowedPattern: (.+)$/m.exec(block)?.[1];
      const values: string[] = JSON.parse(/^ {4}AllowedValues: (.+)$/m.exec(block)?.[1] ?? "[]");
      const accepts = (value: string) => (pattern ? new RegExp(pattern).test(value) : values.includes(value));
      return [block.slice(0, block.indexOf(":")), { isRequired: !/^ {4}Default:/m.test(block), accepts }];
    }),
  );
}

const ACCOUNT_A = readParameters("examples/account-a.yaml");
const ACCOUNT_B = readParameters("template.yaml");
const SAM = readParameters("examples/sam/template.yaml");

const KEY = "arn:aws:kms:eu-west-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const NAMES = { accepted: ["my-lambda-role", "a_+=,.@-9"], refused: ["", "*", "my-*", "path/role", "a".repeat(65)] };

const A: Record<string, { accepted: string[]; refused: string[] }> = {
  FunctionAccountId: { accepted: ["222222222222"], refused: ["", "22222222222", "2222222222222", "*"] },
  FunctionRoleName: NAMES,
  OrganizationId: { accepted: ["", "o-exampleorgid"], refused: ["o-*", "exampleorgid", "o-EXAMPLEORGID", "o-short"] },
  ExternalId: { accepted: ["", "my-external-id", "a/b:c=d"], refused: ["1", "two words", "a*"] },
  TargetRoleName: NAMES,
  SecretName: { accepted: ["my-shared-secret", "app/db!1"], refused: ["", "my-*", "a?", "two words", "a".repeat(513)] },
  CreateSecret: { accepted: ["true", "false"], refused: ["", "yes"] },
  KmsKey: {
    accepted: ["", "create", KEY, KEY.replace("arn:aws:", "arn:aws-us-gov:"), KEY.replace(/1234abcd/, "mrk-1234")],
    refused: ["alias/aws/secretsmanager", "arn:aws:kms:eu-west-1:111111111111:key/*", "*", "1234abcd"],
  },
  ParameterName: { accepted: ["", "/app/host", "/plain"], refused: ["plain", "/", "/app/", "/app/*", "//a"] },
};

const ROLE = "arn:aws:iam::111111111111:role/SecretReader";
const B: typeof A = {
  TargetRoleArn: {
    accepted: [
      ROLE,
      ROLE.replace("role/", "role/path/"),
      ROLE.replace("aws", "aws-cn"),
      ROLE.replace("aws", "aws-us-gov"),
    ],
    refused: ["", "SecretReader", ROLE.replace("role/", "user/"), `${ROLE}*`, ROLE.replace("1", "")],
  },
  SecretId: {
    accepted: ["my-shared-secret", "arn:aws-cn:secretsmanager:cn-north-1:111111111111:secret:app/db-AbCdEf"],
    refused: ["", "my-*", "a b"],
  },
  ExternalId: A.ExternalId ?? NAMES,
  FunctionRoleName: NAMES,
};

const LAYER = "arn:aws:lambda:eu-west-1:222222222222:layer:cross-account-secrets-nodejs:7";
const S: typeof A = {
  LayerArn: { accepted: [LAYER, LAYER.replace("aws", "aws-cn")], refused: ["", LAYER.replace(":7", "")] },
  ...B,
};

describe.each([
  ["examples/account-a.yaml", ACCOUNT_A, A],
  ["template.yaml", ACCOUNT_B, B],
  ["examples/sam/template.yaml", SAM, S],
] as const)("%s", (_file, parameters, rules) => {
  it("has a row in this test for every parameter", () => {
    expect([...parameters.keys()]).toEqual(Object.keys(rules));
  });

  it.each(Object.entries(rules))("accepts only valid values of %s", (name, { accepted, refused }) => {
    const accepts = parameters.get(name)?.accepts ?? (() => undefined);
    expect(accepted.filter((value) => accepts(value) !== true)).toEqual([]);
    expect(refused.filter((value) => accepts(value) !== false)).toEqual([]);
  });
});

/** Where each form of Account B has the external ID that it sends, and the name of the function's role. */
const FORMS: Readonly<Record<string, { readonly externalId: RegExp; readonly role: RegExp; readonly name: RegExp }>> = {
  ...Object.fromEntries(
    ["template.yaml", "examples/sam/template.yaml"].map((file) => [
      file,
      {
        externalId: /^ +CROSS_ACCOUNT_SECRETS_EXTERNAL_ID: !Ref ExternalId\b/m,
        role: /RoleName: !Ref FunctionRoleName\n[\s\S]* Role: !GetAtt FunctionRole.Arn\n/,
        name: /^ {2}FunctionRoleName:\n +Type: String\n +Default: (.*)$/m,
      },
    ]),
  ),
  "examples/terraform/main.tf": {
    externalId: /CROSS_ACCOUNT_SECRETS_EXTERNAL_ID += var.external_id\b/,
    role: /role += aws_iam_role.reader.arn\n[\s\S]*resource "aws_iam_role" "reader" {\n +name = var.function_role_name\n/,
    name: /^variable "function_role_name" {[^}]* default += "(.*)"$/m,
  },
  "examples/cdk/stack.ts": {
    externalId: /CROSS_ACCOUNT_SECRETS_EXTERNAL_ID: externalId\b/,
    role: /const role = new Role\([^{]*{\n +roleName: functionRoleName,[\s\S]*new LambdaFunction\([^{]*{\n +role,\n/,
    name: /functionRoleName = "(.*?)"/,
  },
};

describe.each(Object.entries(FORMS))("%s fits Account A:", (file, { externalId, role, name }) => {
  it("it sends an external ID, and the function's role has a name that Account A knows beforehand", () => {
    const text = read(file);
    expect(text).toMatch(externalId);
    expect(text).toMatch(role);
    const [, known] =
      /^ {2}FunctionRoleName:\n +Type: String\n +Default: (.*)$/m.exec(read("examples/account-a.yaml")) ?? [];
    expect(name.exec(text)?.[1]).toBe(known);
  });
});

interface Deployment {
  readonly file: string;
  readonly template: string;
  readonly overrides: readonly (readonly [string, string])[];
}

/** The deployments in a document's commands. */
const readDeployments = (file: string): Deployment[] =>
  [...read(file).matchAll(/^ *((?:aws cloudformation|sam) deploy (?:.*\\\n)*.*)$/gm)].map(([, command = ""]) => ({
    file,
    template: /--template-file (\S+)/.exec(command)?.[1] ?? "template.yaml",
    overrides: [...command.matchAll(/ (\w+)=(\S+)/g)].map(([, name = "", value = ""]) => [name, value]),
  }));

describe("the documentation", () => {
  const deployments = ["README.md", "examples/README.md"].flatMap(readDeployments);

  it("has a deployment of each template", () => {
    const templates = new Set(deployments.map(({ template }) => template));
    expect(templates).toEqual(new Set(["examples/account-a.yaml", "template.yaml"]));
  });

  it.each(deployments)("in $file gives $template all that it requires, and valid values", ({ template, overrides }) => {
    const parameters = readParameters(template);
    for (const [name, value] of overrides) expect([name, parameters.get(name)?.accepts(value)]).toEqual([name, true]);
    const required = [...parameters].filter(([, { isRequired }]) => isRequired).map(([name]) => name);
    expect(overrides.map(([name]) => name)).toEqual(expect.arrayContaining(required));
  });

  it("has the README's commands also in examples/README.md, whose commands the tests run", () => {
    const toCommands = (text: string) => text.split("\n").map((line) => line.trim());
    const block = /```sh\n(aws cloudformation deploy [\s\S]*?)```/.exec(read("README.md"))?.[1] ?? "";
    const commands = toCommands(block.trim());
    expect(commands.length).toBeGreaterThan(8);
    expect(toCommands(read("examples/README.md"))).toEqual(expect.arrayContaining(commands));
  });
});
