/** The four documents, of which an account each has its own. Pure. */
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

/** In the order in which people read them. */
export const documentKinds = ["trustPolicy", "permissionsPolicy", "keyPolicy", "callerPolicy"] as const;
export type DocumentKind = (typeof documentKinds)[number];
export type Documents = Readonly<Record<DocumentKind, PolicyDocument>>;
export type Account = "a" | "b";

export const toOwner = (kind: DocumentKind): Account => (kind === "callerPolicy" ? "b" : "a");

export function toDocuments({ roleArn, caller, secrets, parameters, keyArn, wishes }: WholeSetup): Documents {
  return {
    trustPolicy: toDocument(...toTrustStatements(caller, wishes)),
    permissionsPolicy: toDocument(
      ...(secrets.length > 0 ? [toReadStatement([...new Set(secrets.flat())])] : []),
      ...(parameters.length > 0 ? [toParameterStatement(parameters)] : []),
      ...(isForeign(keyArn, roleArn) ? [toDecryptStatement({ arn: keyArn })] : []),
    ),
    keyPolicy: toDocument(toKeyStatement(roleArn)),
    callerPolicy: toDocument(toAssumeStatement(roleArn, wishes)),
  };
}

/**
 * A key's own policy is enough for a role of the same account; of another account, both have to allow it.
 * https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html
 */
export function isForeign(keyArn: string | undefined, roleArn: string): keyArn is string {
  return keyArn !== undefined && toAccount(keyArn) !== toAccount(roleArn);
}

export const toDocument = (...Statement: Statement[]): PolicyDocument => ({ Version: "2012-10-17", Statement });

/** What each document is, as a heading. */
export function toTitle(kind: DocumentKind, { roleArn, caller, keyArn }: WholeSetup): string {
  const role = toRoleName(roleArn);
  const ofA = `Account A ${toAccount(roleArn)}`;
  switch (kind) {
    case "trustPolicy":
      return `${ofA}: the trust policy of the role ${role}`;
    case "permissionsPolicy":
      return `${ofA}: a permissions policy of the role ${role}`;
    case "keyPolicy":
      if (keyArn === undefined)
        return `${ofA}: a statement in the key policy, only where the secret has a customer-managed KMS key`;
      return `${isForeign(keyArn, roleArn) ? `Account ${toAccount(keyArn)}` : ofA}: a statement in the policy of ${keyArn}`;
    case "callerPolicy":
      return `Account B ${caller.accountId}: a policy of the role ${caller.name}`;
  }
}
