/** `roleArn` on both secret routes with three configured roles: one of Account A, one with a path, one of a third account. */
import { ANY_SECRET, type ExpectedAnswer, refused, shareBench } from "../support/conformance.ts";
import { answers } from "../support/conformance-secrets.ts";
import { FUNCTION_ROLE_ARN, REGION, TARGET_ROLE_ARN, toConfigVariables } from "../support/two-accounts.ts";

const WITH_PATH = "arn:aws:iam::333333333333:role/readers/team-1/Reader";
const THIRD_ROLE = "arn:aws:iam::444444444444:role/Reader";

/** The ARN of each role's secret. */
const names = new Map<string, string>();
const bench = shareBench({
  environment: {
    ...ANY_SECRET,
    ...toConfigVariables([TARGET_ROLE_ARN, WITH_PATH, THIRD_ROLE].map((roleArn) => ({ roleArn }))),
  },
  prepare({ aws, canaries: [secretString = ""] }) {
    const roles = [TARGET_ROLE_ARN, WITH_PATH, THIRD_ROLE];
    aws.changeRole(FUNCTION_ROLE_ARN, { assumableRoles: roles });
    for (const arn of roles) {
      const reader = { trusts: [FUNCTION_ROLE_ARN], readableSecrets: "any" } as const;
      if (arn === TARGET_ROLE_ARN) aws.changeRole(arn, reader);
      else aws.createRole({ arn, ...reader });
      const [, partition = "", , , account = ""] = arn.split(":");
      const { arn: secretArn } = aws.createSecret({ account, partition, region: REGION, name: "shared", secretString });
      names.set(`{the secret of ${arn}}`, secretArn);
    }
  },
});

function row(name: string, roleArn: string | undefined, expected: ExpectedAnswer): void {
  const query = roleArn === undefined ? [] : [`roleArn=${roleArn}`];
  const asked = [
    { target: `/secretsmanager/get?${["secretId=shared", ...query].join("&")}` },
    { target: `/v1/shared?${query.join("&")}` },
  ];
  answers(bench, () => names, { group: "both secret routes", name, asked, expected });
}

const of = (arn: string): ExpectedAnswer => ({ status: 200, body: { ARN: `{the secret of ${arn}}` } });
const invalid = (tells: string) => refused(400, "ValidationException", tells);
const malformed = invalid("roleArn must be arn:<partition>:iam");
const foreign = refused(403, "AccessDeniedException", "not a configured target role");

row("roleArn configured", TARGET_ROLE_ARN, of(TARGET_ROLE_ARN));
row("roleArn configured, percent-encoded", encodeURIComponent(TARGET_ROLE_ARN), of(TARGET_ROLE_ARN));
row("roleArn with a path", WITH_PATH, of(WITH_PATH));
row("roleArn of a third account", THIRD_ROLE, of(THIRD_ROLE));
row("roleArn left out, and several roles are possible", undefined, invalid("choose one with roleArn"));
row("roleArn not configured", "arn:aws:iam::111111111111:role/Other", foreign);
row("roleArn that differs from a configured one only in its path", "arn:aws:iam::333333333333:role/Reader", foreign);
row(
  "roleArn that differs from a configured one only in its partition",
  TARGET_ROLE_ARN.replace("arn:aws:", "arn:aws-cn:"),
  foreign,
);
row(
  "roleArn that differs from a configured one only in its case",
  TARGET_ROLE_ARN.replace("SecretReader", "secretreader"),
  foreign,
);
row("roleArn empty, which is an unset one", "", invalid("choose one with roleArn"));
row("roleArn of a user", "arn:aws:iam::111111111111:user/Reader", malformed);
row("roleArn with 11 digits", "arn:aws:iam::11111111111:role/Reader", malformed);
row("roleArn with a digit of another script", "arn:aws:iam::11111111111%D9%A1:role/Reader", malformed);
row("roleArn with a space after it", `${TARGET_ROLE_ARN}%20`, malformed);
row("roleArn with a line break after it", `${TARGET_ROLE_ARN}%0A`, malformed);
row("roleArn with JSON in it", `${TARGET_ROLE_ARN}%22,%22__type%22:%22Evil`, malformed);
row("roleArn with JSON in its path", "arn:aws:iam::111111111111:role/%22%7D,%7B%22a%22:%22/Reader", foreign);
row(
  "roleArn twice",
  `${TARGET_ROLE_ARN}&roleArn=${TARGET_ROLE_ARN}`,
  invalid('parameter "roleArn" is given more than once'),
);
