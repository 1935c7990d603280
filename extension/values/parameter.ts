/**
 * How a parameter is called: by its name, a path or not, or by its ARN, where the slash before a path is that after
 * `parameter`. https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
 *
 * Pure.
 */

import type { ParameterQuery, ParameterValue } from "../aws/parameters.ts";
import type { Kind } from "./source.ts";

/** What AWS allows in a name, with what else may stand in an ARN or in a reference to a secret; 2,048 is the API's limit. */
const PARAMETER_ID = /^[A-Za-z0-9/_+=.@!:-]{1,2048}$/;
const PARAMETER_ARN = /^arn:aws[a-z-]*:ssm:([a-z0-9-]+):(\d{12}):parameter\/([^:]+)$/;

export const parameterIdRule =
  "a parameter's name (letters, digits and /_.-) or its ARN, arn:<partition>:ssm:<region>:<account>:parameter/<name>";

/** A name holds no colon: what follows one is a version or a label, which is no part of an id. */
export function isParameterId(text: string): boolean {
  return PARAMETER_ID.test(text) && (PARAMETER_ARN.test(text) || !text.includes(":"));
}

/** The region in an ARN; undefined for a name. */
export const toParameterRegion = (parameterId: string): string | undefined => PARAMETER_ARN.exec(parameterId)?.[1];

/** What the parameter is called in an ARN. */
export const toArnName = (name: string): string => name.replace(/^\//, "");

export const parameterKind: Kind<ParameterQuery, ParameterValue> = {
  word: "parameter",
  setting: "PARAMETER_NAMES",
  toConfigured: ({ parameterNames }) => parameterNames,
  toId: ({ parameterId }) => parameterId,
  toVariant: ({ selector = "", withDecryption }) => `${selector} ${withDecryption}`,
  toPlace(parameterId, home) {
    const [, region = home.region, accountId = home.accountId, name] = PARAMETER_ARN.exec(parameterId) ?? [];
    const place = `ssm:${region}:${accountId}`;
    if (name === undefined) return { place, names: [parameterId] };
    // A path begins with a slash; of a name of one part an ARN does not tell.
    return { place, names: name.includes("/") ? [`/${name}`] : [`/${name}`, name] };
  },
  toAccountId: (parameterId) => PARAMETER_ARN.exec(parameterId)?.[2],
  isCalled: ({ arn, name }, parameterId) => parameterId === name || parameterId === arn,
  toBytes: ({ value = "", sourceResult = "" }) => Buffer.byteLength(value) + Buffer.byteLength(sourceResult),
};
