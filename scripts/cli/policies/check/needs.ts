/** What each of the documents has to allow. Pure. */
import {
  type Statement,
  toAssumeStatement,
  toDecryptStatement,
  toKeyStatement,
  toParameterStatement,
  toReadStatement,
  toTrustStatements,
} from "../../../../extension/failure/statements.ts";
import { type DocumentKind, isForeign } from "../documents.ts";
import { type Setup, toAccount } from "../setup.ts";
import type { Context } from "./conditions.ts";

export interface Need {
  readonly action: string;
  /** Who is to be allowed it: one ARN, or where the path is not known, what it may be. Undefined in policies of the role's own. */
  readonly principals: readonly string[] | undefined;
  /** One of them is what it is about. Undefined where that is for the document not to say, or not known. */
  readonly resources: readonly string[] | undefined;
  readonly context: Context;
  /** What allows it. */
  readonly statement: Statement;
}

/** None, where the arguments do not tell. */
export function toNeeds(kind: DocumentKind, setup: Setup): readonly Need[] {
  switch (kind) {
    case "trustPolicy":
      return toTrustNeeds(setup);
    case "permissionsPolicy":
      return toReadNeeds(setup);
    case "keyPolicy":
      return toKeyNeeds(setup);
    case "callerPolicy":
      return toAssumeNeeds(setup);
  }
}

const toActions = (statement: Statement): readonly string[] => [statement.Action].flat();

function toTrustNeeds({ caller, wishes }: Setup): readonly Need[] {
  if (caller === undefined) return [];
  const { partition, accountId, name, path } = caller;
  const role = `arn:${partition}:iam::${accountId}:role`;
  const principals = path === undefined ? [`${role}/${name}`, `${role}/any/${name}`] : [`${role}${path}${name}`];
  const { organizationId, externalId } = wishes;
  const context: Context = {
    "aws:principalarn": principals,
    "aws:principalaccount": [accountId],
    "aws:principaltype": ["AssumedRole"],
    // No one is asked for it when a role assumes another.
    "aws:multifactorauthpresent": undefined,
    ...(organizationId !== undefined && { "aws:principalorgid": [organizationId] }),
  };
  return toTrustStatements(caller, wishes).flatMap((statement) =>
    toActions(statement).map((action) => {
      // Tags and a source identity know no external ID. Whether one is sent is not known where it is not told: nobody is to be
      // advised to drop the condition.
      const isAssume = action === "sts:AssumeRole";
      const sent =
        isAssume && externalId === undefined ? {} : { "sts:externalid": isAssume ? [externalId ?? ""] : undefined };
      return { action, principals, resources: undefined, context: { ...context, ...sent }, statement };
    }),
  );
}

function toReadNeeds({ roleArn, secrets, parameters, keyArn }: Setup): readonly Need[] {
  const toNeed = (resources: readonly string[], statement: Statement, action: string): Need => {
    const context = {
      ...toOwnContext(roleArn),
      "aws:requestedregion": resources.map((arn) => arn.split(":")[3] ?? ""),
    };
    return { action, principals: undefined, resources, context, statement };
  };
  return [
    ...secrets.map((resources) => toNeed(resources, toReadStatement(resources), "secretsmanager:GetSecretValue")),
    ...parameters.map((resource) => toNeed([resource], toParameterStatement([resource]), "ssm:GetParameter")),
    ...(roleArn !== undefined && isForeign(keyArn, roleArn)
      ? [toNeed([keyArn], toDecryptStatement({ arn: keyArn }), "kms:Decrypt")]
      : []),
  ];
}

/** Of partitions whose names for services are not known, nothing is said. */
const SUFFIXES: Readonly<Record<string, string>> = {
  aws: "amazonaws.com",
  "aws-us-gov": "amazonaws.com",
  "aws-cn": "amazonaws.com.cn",
};

/** To describe a key helps to find out what is wrong with it; reading takes no more than to decrypt. */
function toKeyNeeds({ roleArn, region, partition, keyArn, secrets, parameters }: Setup): readonly Need[] {
  if (roleArn === undefined) return [];
  const services = [...(secrets.length > 0 ? ["secretsmanager"] : []), ...(parameters.length > 0 ? ["ssm"] : [])];
  const suffix = SUFFIXES[partition];
  const callers =
    region === undefined || suffix === undefined ? [] : services.map((name) => `${name}.${region}.${suffix}`);
  const common = {
    action: "kms:Decrypt",
    principals: [roleArn],
    resources: keyArn === undefined ? undefined : [keyArn],
    statement: toKeyStatement(roleArn),
  };
  const context = { ...toOwnContext(roleArn), "kms:calleraccount": [toAccount(roleArn)] };
  if (callers.length === 0) return [{ ...common, context }];
  return callers.map((service) => ({ ...common, context: { ...context, "kms:viaservice": [service] } }));
}

function toAssumeNeeds({ roleArn, wishes }: Setup): readonly Need[] {
  if (roleArn === undefined) return [];
  const statement = toAssumeStatement(roleArn, wishes);
  const context: Context = { "aws:resourceaccount": [toAccount(roleArn)] };
  return toActions(statement).map((action) => ({
    ...{ action, principals: undefined, resources: [roleArn], context, statement },
  }));
}

const toOwnContext = (roleArn: string | undefined): Context =>
  roleArn === undefined
    ? {}
    : {
        "aws:principalarn": [roleArn],
        "aws:principalaccount": [toAccount(roleArn)],
        "aws:resourceaccount": [toAccount(roleArn)],
      };
