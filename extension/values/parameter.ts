/**
 * A parameter's id, the query for it, and its value. Pure.
 *
 * An id is the parameter's name, which may be a path, or its ARN. In an ARN the slash after `parameter` is also the slash
 * that a path begins with. https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
 */
import type { ValueRules } from "./source.ts";

/** Which version of a parameter is asked for, and how. Without a selector it is the latest. */
export interface ParameterQuery {
  /** A name or an ARN. */
  readonly parameterId: string;
  /** A version's number, or a label. */
  readonly selector?: string;
  /** Whether AWS decrypts a SecureString. If not, its value is ciphertext. */
  readonly withDecryption: boolean;
}

/** One version of a parameter, as AWS returns it. */
export interface ParameterValue {
  readonly arn: string;
  readonly name: string;
  readonly versionId: string;
  readonly type: string;
  readonly dataType: string | undefined;
  readonly lastModifiedDate: Date | undefined;
  readonly selector: string | undefined;
  readonly sourceResult: string | undefined;
  readonly value: string | undefined;
}

/** AWS's characters for a name, and those of an ARN or of a reference to a secret. The API's limit is 2,048. */
const PARAMETER_ID = /^[A-Za-z0-9/_+=.@!:-]{1,2048}$/;
const PARAMETER_ARN = /^arn:aws[a-z-]*:ssm:([a-z0-9-]+):(\d{12}):parameter\/([^:]+)$/;

export const parameterIdRule =
  "a parameter's name (letters, digits and /_.-) or its ARN, arn:<partition>:ssm:<region>:<account>:parameter/<name>";

/** A name holds no colon: a version or label after a colon is no part of the id. */
export function isParameterId(text: string): boolean {
  return PARAMETER_ID.test(text) && (PARAMETER_ARN.test(text) || !text.includes(":"));
}

/** The region in an ARN; undefined for a name. */
export const toParameterRegion = (parameterId: string): string | undefined => PARAMETER_ARN.exec(parameterId)?.[1];

/** The name as it is written in an ARN. */
export const toArnName = (name: string): string => name.replace(/^\//, "");

export const parameterRules: ValueRules<ParameterQuery, ParameterValue> = {
  word: "parameter",
  setting: "PARAMETER_NAMES",
  toConfiguredIds: ({ parameterNames }) => parameterNames,
  toId: ({ parameterId }) => parameterId,
  toVariant: ({ selector = "", withDecryption }) => `${selector} ${withDecryption}`,
  toLocation(parameterId, home) {
    const [, region = home.region, accountId = home.accountId, name] = PARAMETER_ARN.exec(parameterId) ?? [];
    const place = `ssm:${region}:${accountId}`;
    if (name === undefined) return { place, names: [parameterId] };
    // A path begins with a slash. For a name of one part, the ARN does not tell whether it has one.
    return { place, names: name.includes("/") ? [`/${name}`] : [`/${name}`, name] };
  },
  toAccountId: (parameterId) => PARAMETER_ARN.exec(parameterId)?.[2],
  toIds: ({ arn, name }) => [name, arn],
  toBytes: ({ value = "", sourceResult = "" }) => Buffer.byteLength(value) + Buffer.byteLength(sourceResult),
};
