/** The four policy documents that two accounts need. Pure. */
import {
  type Statement,
  toAssumeStatement,
  toDecryptStatement,
  toKeyStatement,
  toParameterStatement,
  toReadStatement,
  toTrustStatements,
} from "../../../extension/failure/statements.ts";
import { toAccount, toRoleName, type WholeSetup } from "./setup.ts";

export interface PolicyDocument {
  readonly Version: "2012-10-17";
  readonly Statement: readonly Statement[];
}

/** In the order in which they are printed. */
export const documentNames = ["trustPolicy", "permissionsPolicy", "keyPolicy", "callerPolicy"] as const;
export type DocumentName = (typeof documentNames)[number];
export type Documents = Readonly<Record<DocumentName, PolicyDocument>>;
export type Account = "a" | "b";

export const toOwner = (name: DocumentName): Account => (name === "callerPolicy" ? "b" : "a");

export function toDocuments({
  roleArn,
  caller,
  secrets,
  parameters,
  keyArn,
  assumeRoleOptions,
}: WholeSetup): Documents {
  return {
    trustPolicy: toDocument(...toTrustStatements(caller, assumeRoleOptions)),
    permissionsPolicy: toDocument(
      ...(secrets.length > 0 ? [toReadStatement([...new Set(secrets.flat())])] : []),
      ...(parameters.length > 0 ? [toParameterStatement(parameters)] : []),
      ...(isForeign(keyArn, roleArn) ? [toDecryptStatement({ arn: keyArn })] : []),
    ),
    keyPolicy: toDocument(toKeyStatement(roleArn)),
    callerPolicy: toDocument(toAssumeStatement(roleArn, assumeRoleOptions)),
  };
}

/**
 * Whether the role's own permissions must allow the key as well: only if the key is in another account.
 * https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html
 */
export function isForeign(keyArn: string | undefined, roleArn: string): keyArn is string {
  return keyArn !== undefined && toAccount(keyArn) !== toAccount(roleArn);
}

export const toDocument = (...Statement: Statement[]): PolicyDocument => ({ Version: "2012-10-17", Statement });

/** A heading for the document. */
export function toTitle(name: DocumentName, { roleArn, caller, keyArn }: WholeSetup): string {
  const role = toRoleName(roleArn);
  const ofA = `Account A ${toAccount(roleArn)}`;
  switch (name) {
    case "trustPolicy":
      return `${ofA}: the trust policy of the role ${role}`;
    case "permissionsPolicy":
      return `${ofA}: a permissions policy of the role ${role}`;
    case "keyPolicy":
      if (keyArn === undefined)
        return `${ofA}: a statement in the key policy, only if the secret has a customer-managed KMS key`;
      return `${isForeign(keyArn, roleArn) ? `Account ${toAccount(keyArn)}` : ofA}: a statement in the policy of ${keyArn}`;
    case "callerPolicy":
      return `Account B ${caller.accountId}: a policy of the role ${caller.name}`;
  }
}

/** A comment of a shell, YAML and Terraform. */
export const toComment = (text: string): string => text.replace(/^/gm, "# ").replace(/ +$/gm, "").concat("\n");

/** The names of the inline policies in every format. */
export const inlinePolicyNames = { permissionsPolicy: "read-secrets", callerPolicy: "assume-target-role" } as const;
