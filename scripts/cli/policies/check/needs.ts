/** What each document must allow. Pure. */
import {
  type Statement,
  toAssumeStatement,
  toDecryptStatement,
  toKeyStatement,
  toParameterStatement,
  toReadStatement,
  toTrustStatements,
} from "../../../../extension/failure/statements.ts";
import { type DocumentName, isForeign } from "../documents.ts";
import { type Setup, toAccount } from "../setup.ts";
import type { RequestContext } from "./conditions.ts";

export interface Need {
  readonly action: string;
  /** The role that must be allowed: its ARN, or possible ones if the path is unknown. Undefined in a policy of the role itself. */
  readonly principals: readonly string[] | undefined;
  /** The resource is one of them. Undefined if the document has none, or if it is unknown. */
  readonly resources: readonly string[] | undefined;
  readonly context: RequestContext;
  /** The statement that allows it. */
  readonly statement: Statement;
}

/** Returns none if the arguments do not contain them. */
export function toNeeds(documentName: DocumentName, setup: Setup): readonly Need[] {
  switch (documentName) {
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

function toTrustNeeds({ caller, assumeRoleOptions }: Setup): readonly Need[] {
  if (caller === undefined) return [];
  const { partition, accountId, name, path } = caller;
  const role = `arn:${partition}:iam::${accountId}:role`;
  const principals = path === undefined ? [`${role}/${name}`, `${role}/any/${name}`] : [`${role}${path}${name}`];
  const { organizationId, externalId } = assumeRoleOptions;
  const context: RequestContext = {
    "aws:principalarn": principals,
    "aws:principalaccount": [accountId],
    "aws:principaltype": ["AssumedRole"],
    // A request in which a role assumes another role does not have this key.
    "aws:multifactorauthpresent": undefined,
    ...(organizationId !== undefined && { "aws:principalorgid": [organizationId] }),
  };
  return toTrustStatements(caller, assumeRoleOptions).flatMap((statement) =>
    toActions(statement).map((action) => {
      // Tags and a source identity are checked without an external ID. If no option gives one, it is unknown whether one is
      // sent, so that no finding recommends to remove the condition.
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

/** The conditions of a partition that is missing here are not checked. */
const SUFFIXES: ReadonlyMap<string, string> = new Map([
  ["aws", "amazonaws.com"],
  ["aws-us-gov", "amazonaws.com"],
  ["aws-cn", "amazonaws.com.cn"],
]);

/** Reading needs only kms:Decrypt. kms:DescribeKey helps to find a fault. */
function toKeyNeeds({ roleArn, region, partition, keyArn, secrets, parameters }: Setup): readonly Need[] {
  if (roleArn === undefined) return [];
  const services = [...(secrets.length > 0 ? ["secretsmanager"] : []), ...(parameters.length > 0 ? ["ssm"] : [])];
  const suffix = SUFFIXES.get(partition);
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

function toAssumeNeeds({ roleArn, assumeRoleOptions }: Setup): readonly Need[] {
  if (roleArn === undefined) return [];
  const statement = toAssumeStatement(roleArn, assumeRoleOptions);
  const context: RequestContext = { "aws:resourceaccount": [toAccount(roleArn)] };
  return toActions(statement).map((action) => ({
    ...{ action, principals: undefined, resources: [roleArn], context, statement },
  }));
}

const toOwnContext = (roleArn: string | undefined): RequestContext =>
  roleArn === undefined
    ? {}
    : {
        "aws:principalarn": [roleArn],
        "aws:principalaccount": [toAccount(roleArn)],
        "aws:resourceaccount": [toAccount(roleArn)],
      };
