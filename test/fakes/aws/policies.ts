/**
 * Decides permissions by policy documents: a third-party engine evaluates them, and this file puts its results into AWS's words.
 * Pure. The engine is an argument, because it has a licence of its own: see scripts/setup/policy-engine.ts.
 */
import type { Accounts } from "./accounts.ts";
import type { Role } from "./iam.ts";
import { type FindDenial, REVOKED, toDenial } from "./permissions.ts";

export interface PolicyDocument {
  readonly Version: "2012-10-17";
  readonly Statement: readonly PolicyStatement[];
}

export interface PolicyStatement {
  readonly Effect: "Allow" | "Deny";
  readonly Principal?: "*" | Readonly<Record<string, string | readonly string[]>>;
  readonly [element: string]: unknown;
}

type EngineResult = "Allowed" | "AllowedForAccount" | "ImplicitlyDenied" | "ExplicitlyDenied" | "DeniedForAccount";

type PolicyKind =
  | "scpAnalysis"
  | "endpointAnalysis"
  | "resourceAnalysis"
  | "identityAnalysis"
  | "permissionBoundaryAnalysis"
  | "sessionAnalysis";

/** The result of each kind of policy, and the overall result. */
interface SimulationAnalysis extends Readonly<Partial<Record<PolicyKind, { readonly result: string }>>> {
  readonly result: EngineResult;
}

/** The part of iam-simulate's interface that is used here. Its own types are missing if it is not installed. */
export interface PolicyEngine {
  runSimulation(
    simulation: object,
    options: object,
  ): Promise<{
    readonly overallResult?: string;
    readonly errors?: unknown;
    readonly result?: { analysis: SimulationAnalysis };
  }>;
}

export function createPolicyEvaluator(engine: PolicyEngine, accounts: Accounts): FindDenial {
  return async (caller, requested) => {
    const { session, role } = caller;
    const { action, resource, target, context = {}, resourcePolicy } = requested;
    const denial = toDenial(session, requested);
    if (session.revoked) return `${denial}${REVOKED}`;
    const { organizationId, serviceControlPolicies = [] } = accounts.findAccount(session.account);
    const endpointPolicy = accounts.findEndpointPolicy(action);
    const named = (policy: object, index: number) => ({ name: `policy ${index}`, policy });
    const { errors, result } = await engine.runSimulation(
      {
        request: {
          principal: session.arn,
          action,
          resource: { resource, accountId: resource.split(":")[4] },
          contextVariables: {
            "aws:PrincipalArn": role.arn,
            "aws:PrincipalAccount": session.account,
            ...(organizationId && { "aws:PrincipalOrgID": organizationId }),
            ...context,
          },
        },
        identityPolicies: role.policies.map(named),
        permissionBoundaryPolicies: role.permissionsBoundary && [named(role.permissionsBoundary, 0)],
        sessionPolicy: session.policy?.document,
        serviceControlPolicies:
          serviceControlPolicies.length === 0
            ? []
            : [{ orgIdentifier: "account", policies: serviceControlPolicies.map(named) }],
        resourceControlPolicies: [],
        resourcePolicy: resourcePolicy && toMatchablePolicy(resourcePolicy, role),
        vpcEndpointPolicies: endpointPolicy && [named(endpointPolicy, 0)],
      },
      {},
    );
    if (result === undefined)
      throw new Error(`fake AWS: cannot evaluate a policy for ${action} on ${resource}: ${JSON.stringify(errors)}`);
    const isMissing = action.startsWith("sts:") && target === undefined;
    if (result.analysis.result === "Allowed" && !isMissing) return undefined;
    return `${denial}${toReason(result.analysis, action, resource.split(":")[4] === session.account)}`;
  };
}

// If several kinds of policy deny, AWS names one of them. Not verified: which one.
const KINDS: readonly (readonly [PolicyKind, string])[] = [
  ["scpAnalysis", "service control policy"],
  ["endpointAnalysis", "VPC endpoint policy"],
  ["resourceAnalysis", "resource-based policy"],
  ["identityAnalysis", "identity-based policy"],
  ["permissionBoundaryAnalysis", "permissions boundary"],
  ["sessionAnalysis", "session policy"],
];

/**
 * All of these words are AWS's own: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
 * Not verified: that STS and Secrets Manager use them for every kind of policy.
 */
function toReason(analysis: SimulationAnalysis, action: string, isSameAccount: boolean): string {
  const isAssumption = action.startsWith("sts:");
  const denies = (kind: PolicyKind) => /^(Explicitly|DeniedForAccount)/.test(analysis[kind]?.result ?? "");
  const explicit = KINDS.find(([kind]) => denies(kind));
  if (explicit) {
    const [kind, name] = explicit;
    if (kind === "resourceAnalysis" && isAssumption) return " with an explicit deny in the role trust policy";
    return ` with an explicit deny in ${kind === "identityAnalysis" ? "an" : "a"} ${name}`;
  }
  const implicit = KINDS.find(([kind]) => {
    // Both sides must allow AssumeRole, and AWS does not tell which one denied it:
    // https://github.com/aws/karpenter-provider-aws/issues/4680
    if (kind === "identityAnalysis") return !isAssumption && analysis[kind]?.result === "ImplicitlyDenied";
    if (kind === "resourceAnalysis")
      return !isAssumption && !isSameAccount && !analysis[kind]?.result.startsWith("Allowed");
    return analysis[kind]?.result === "ImplicitlyDenied";
  });
  return implicit === undefined ? "" : ` because no ${implicit[1]} allows the ${action} action`;
}

/** An identifier that no role has. */
const UNKNOWN_ID = "AROA00000000000000000";

/**
 * Returns the policy with principals that the engine can match to this role. A principal that names the role, by its ARN with
 * the path or by its identifier, becomes the role's ARN; one that names another role matches nothing. The engine ignores the path:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-roles
 */
function toMatchablePolicy(policy: PolicyDocument, role: Role): PolicyDocument {
  return mapPrincipals(policy, (principal) => {
    if (principal === role.id) return role.arn;
    return principal.includes(":role/") && principal !== role.arn ? UNKNOWN_ID : principal;
  });
}

export function mapPrincipals(policy: PolicyDocument, toPrincipal: (principal: string) => string): PolicyDocument {
  const Statement = policy.Statement.map((statement) => {
    if (typeof statement.Principal !== "object") return statement;
    const { AWS: principals = [], ...others } = statement.Principal;
    const mapped = [principals].flat().map(toPrincipal);
    return { ...statement, Principal: { ...others, ...(mapped.length > 0 && { AWS: mapped }) } };
  });
  return { ...policy, Statement };
}
