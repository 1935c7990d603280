/** The names, ARNs and values that many tests use: Account A (111111111111) owns the secret, Account B has the function. */
import type { ParameterValue } from "../../extension/values/parameter.ts";
import type { SecretValue } from "../../extension/values/secret.ts";

export const REGION = "eu-west-1";
/** The region and account of a secret that is requested by its bare name. */
export const HOME = { region: REGION, accountId: "111111111111" };

export const SECRET_NAME = "my-shared-secret";
/** The ARN of a secret, without its name. */
export const SECRETS_ARN = `arn:aws:secretsmanager:${REGION}:111111111111:secret`;

export const TARGET_ROLE_ARN = "arn:aws:iam::111111111111:role/SecretReader";
export const TARGET_ROLE_WITH_PATH_ARN = "arn:aws:iam::111111111111:role/readers/SecretReader";
/** A second target role, in a third account. */
export const OTHER_ROLE_ARN = "arn:aws:iam::333333333333:role/readers/OtherReader";
export const FUNCTION_ROLE_ARN = "arn:aws:iam::222222222222:role/my-lambda-role";

/** The ARN of a secret, without the six random characters that Secrets Manager appends. */
export const toPartialArn = (name: string, { region, accountId } = HOME): string =>
  `arn:aws:secretsmanager:${region}:${accountId}:secret:${name}`;
export const toSecretArn = (name: string, suffix = "AbCdEf"): string => `${toPartialArn(name)}-${suffix}`;

export const SECRET_ARN = toSecretArn("app/database");
export const PARTIAL_SECRET_ARN = toPartialArn("app/database");
export const PARAMETER_ARN = `arn:aws:ssm:${REGION}:111111111111:parameter/app/flag`;

/** Version v1 of a secret, unless `fields` says otherwise. Its ARN follows from its name. */
export function toSecretValue(fields: Partial<SecretValue> = {}): SecretValue {
  const { name = "app/database", arn = toSecretArn(name), ...rest } = fields;
  return {
    arn,
    name,
    versionId: "v1",
    versionStages: ["AWSCURRENT"],
    createdDate: new Date("2022-11-16T08:22:40.499Z"),
    secretString: "s3cret",
    secretBinary: undefined,
    ...rest,
  };
}

/** Version 3 of a parameter, unless `fields` says otherwise. */
export function toParameterValue(fields: Partial<ParameterValue> = {}): ParameterValue {
  return {
    arn: PARAMETER_ARN,
    name: "/app/flag",
    versionId: "3",
    type: "String",
    dataType: "text",
    lastModifiedDate: new Date("2022-11-16T08:22:40.362Z"),
    selector: undefined,
    sourceResult: undefined,
    value: "p4rameter",
    ...fields,
  };
}
