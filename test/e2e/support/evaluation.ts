/** Whether policies allow a call. A third-party engine decides: see scripts/setup/policy-engine.ts. */
import type { PolicyDocument } from "../../fakes/aws.ts";
import { policyEngine } from "../../support/policy-engine.ts";

export interface EvaluatedCaller {
  readonly roleArn: string;
  /** The policies of the role. */
  readonly policies: readonly PolicyDocument[];
  /** Default: the account is in no organization. */
  readonly organizationId?: string;
}

export interface EvaluatedCall {
  readonly action: string;
  readonly resource: string;
  /** The policy of the resource: a role's trust policy or a key's policy. */
  readonly resourcePolicy?: PolicyDocument;
  readonly context?: Readonly<Record<string, string | undefined>>;
}

/** The engine knows a condition key with a variable only by its name in IAM's list of keys, unless the variable follows a slash. */
const toEngineKeys = <Json extends object | undefined>(json: Json): Json =>
  json && JSON.parse(JSON.stringify(json).replaceAll(/(?<=kms:EncryptionContext:)\w+/g, "$${EncryptionContextKey}"));

/** Returns `Allowed`, or the kind of denial. */
export async function evaluate(
  caller: EvaluatedCaller,
  { action, resource, resourcePolicy, context = {} }: EvaluatedCall,
) {
  const [, partition, , , account = "", role = ""] = caller.roleArn.split(":");
  const known = {
    "aws:PrincipalArn": caller.roleArn,
    "aws:PrincipalAccount": account,
    "aws:PrincipalOrgID": caller.organizationId,
    ...context,
  };
  const result = await policyEngine?.runSimulation(
    toEngineKeys({
      request: {
        // A session's ARN has no path.
        principal: `arn:${partition}:sts::${account}:assumed-role/${role.split("/").at(-1)}/session`,
        action,
        resource: { resource, accountId: resource.split(":")[4] },
        contextVariables: known,
      },
      identityPolicies: caller.policies.map((policy, index) => ({ name: `policy ${index}`, policy })),
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      resourcePolicy,
    }),
    {},
  );
  if (result?.overallResult === undefined) throw new Error(`not evaluated: ${JSON.stringify(result?.errors)}`);
  return result.overallResult;
}
