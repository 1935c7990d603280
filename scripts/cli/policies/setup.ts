/** The set-up of two accounts, as the arguments describe it. Pure. */
import { toRegionPartition } from "../../../extension/config/partitions.ts";
import type { AssumeRoleOptions, Caller } from "../../../extension/failure/statements.ts";

/** A check needs only a part of the set-up. */
export interface Setup {
  readonly partition: string;
  readonly region: string | undefined;
  /** The target role, in Account A. */
  readonly roleArn: string | undefined;
  /** The role that assumes it, in Account B. */
  readonly caller: Caller | undefined;
  /** The possible resources of each secret: only AWS knows whether an ARN already ends in the six characters. */
  readonly secrets: readonly (readonly string[])[];
  readonly parameters: readonly string[];
  /** A customer-managed key of the secrets. */
  readonly keyArn: string | undefined;
  readonly assumeRoleOptions: AssumeRoleOptions;
}

/** What is needed to print the documents. */
export interface WholeSetup extends Setup {
  readonly roleArn: string;
  readonly caller: Caller;
}

export const toAccount = (arn: string): string => arn.split(":")[4] ?? "";
export const toPartition = (arn: string): string => arn.split(":")[1] ?? "";
/** The name in a role's ARN. */
export const toRoleName = (roleArn: string): string => roleArn.slice(roleArn.lastIndexOf("/") + 1);
/** The path in a role's ARN: `/`, `/service-role/` and so on. */
export const toRolePath = (roleArn: string): string => /:role(\/.*\/|\/)/.exec(roleArn)?.[1] ?? "/";

export const toPartitionOfRegion = (region: string): string => toRegionPartition(region) ?? "aws";
