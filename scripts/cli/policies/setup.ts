/** What the arguments tell of two accounts. Pure. */
import type { AssumeRoleOptions, Caller } from "../../../extension/failure/statements.ts";

/** As far as it is told: documents can be checked with less than it takes to print them. */
export interface Setup {
  readonly partition: string;
  readonly region: string | undefined;
  /** The target role, in Account A. */
  readonly roleArn: string | undefined;
  /** The role that assumes it, in Account B. */
  readonly caller: Caller | undefined;
  /** What each secret is in a policy: of an ARN, AWS alone knows whether it has the six characters. */
  readonly secrets: readonly (readonly string[])[];
  readonly parameters: readonly string[];
  /** A customer-managed key of the secrets. */
  readonly keyArn: string | undefined;
  readonly wishes: AssumeRoleOptions;
}

/** All that it takes to print the documents. */
export interface WholeSetup extends Setup {
  readonly roleArn: string;
  readonly caller: Caller;
}

export const toAccount = (arn: string): string => arn.split(":")[4] ?? "";
export const toPartition = (arn: string): string => arn.split(":")[1] ?? "";
/** Of a role's ARN. */
export const toRoleName = (roleArn: string): string => roleArn.slice(roleArn.lastIndexOf("/") + 1);
/** Of a role's ARN: `/`, or `/service-role/` and the like. */
export const toRolePath = (roleArn: string): string => /:role(\/.*\/|\/)/.exec(roleArn)?.[1] ?? "/";

/** Where regions are, of which AWS has apart from the others: https://docs.aws.amazon.com/general/latest/gr/rande.html */
const PARTITIONS: readonly (readonly [RegExp, string])[] = [
  [/^cn-/, "aws-cn"],
  [/^us-gov-/, "aws-us-gov"],
  [/^us-iso-/, "aws-iso"],
  [/^us-isob-/, "aws-iso-b"],
  [/^eu-isoe-/, "aws-iso-e"],
  [/^us-isof-/, "aws-iso-f"],
  [/^eusc-/, "aws-eusc"],
];
export const toPartitionOf = (region: string): string =>
  PARTITIONS.find(([pattern]) => pattern.test(region))?.[1] ?? "aws";
