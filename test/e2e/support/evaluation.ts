/** Whether policies allow a call, says an engine that is none of ours: see scripts/setup/policy-engine.ts. */
import { findPolicyEngine } from "../../../scripts/setup/policy-engine.ts";

/** As much of the engine's interface as is used here: where it is not installed, its own types are not either. */
interface Engine {
  runSimulation(simulation: object, options: object): Promise<{ readonly overallResult?: string; errors?: unknown }>;
}
const at = findPolicyEngine();
const engine: Engine | undefined = at === undefined ? undefined : await import(at);
export const hasPolicyEngine = engine !== undefined;

export type PolicyDocument = object;

export interface Caller {
  readonly roleArn: string;
  /** Of the role. */
  readonly policies: readonly PolicyDocument[];
  /** Default: the account is in none. */
  readonly organizationId?: string;
}

export interface Call {
  readonly action: string;
  readonly resource: string;
  /** Of the resource: a role's trust policy, a key's policy. */
  readonly resourcePolicy?: PolicyDocument;
  readonly context?: Readonly<Record<string, string | undefined>>;
}

/** The engine knows a key with a variable only by the name that IAM's list of keys has, unless the variable follows a slash. */
const inWordsOfEngine = <Json extends object | undefined>(json: Json): Json =>
  json && JSON.parse(JSON.stringify(json).replaceAll(/(?<=kms:EncryptionContext:)\w+/g, "$${EncryptionContextKey}"));

/** `Allowed`, or how it is denied. */
export async function evaluate(caller: Caller, { action, resource, resourcePolicy, context = {} }: Call) {
  const [, partition, , , account = "", role = ""] = caller.roleArn.split(":");
  const known = {
    "aws:PrincipalArn": caller.roleArn,
    "aws:PrincipalAccount": account,
    "aws:PrincipalOrgID": caller.organizationId,
    ...context,
  };
  const result = await engine?.runSimulation(
    inWordsOfEngine({
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
