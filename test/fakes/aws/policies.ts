/**
 * Who may do what, by the documents themselves: an engine of others evaluates them, and AWS's words are put to what it says.
 * Pure. The engine is handed in, because it is under a licence of its own: see scripts/setup/policy-engine.ts.
 */
import type { Accounts } from "./accounts.ts";
import type { Role } from "./iam.ts";
import { type DenialOf, REVOKED, toDenial } from "./permissions.ts";

export interface PolicyDocument {
  readonly Version: "2012-10-17";
  readonly Statement: readonly PolicyStatement[];
}

export interface PolicyStatement {
  readonly Effect: "Allow" | "Deny";
  readonly Principal?: "*" | Readonly<Record<string, string | readonly string[]>>;
  readonly [element: string]: unknown;
}

type Result = "Allowed" | "AllowedForAccount" | "ImplicitlyDenied" | "ExplicitlyDenied" | "DeniedForAccount";

type AnalysisOf =
  | "scpAnalysis"
  | "endpointAnalysis"
  | "resourceAnalysis"
  | "identityAnalysis"
  | "permissionBoundaryAnalysis"
  | "sessionAnalysis";

/** What each kind of policy says, and what comes of it. */
interface Analysis extends Readonly<Partial<Record<AnalysisOf, { readonly result: string }>>> {
  readonly result: Result;
}

/** As much of the interface of iam-simulate as is used here: where it is not installed, its own types are not either. */
export interface PolicyEngine {
  runSimulation(
    simulation: object,
    options: object,
  ): Promise<{ readonly overallResult?: string; readonly errors?: unknown; readonly result?: { analysis: Analysis } }>;
}

export function createDenialByPolicies(engine: PolicyEngine, accounts: Accounts): DenialOf {
  return async (caller, wish) => {
    const { session, role } = caller;
    const { action, resource, target, context = {}, resourcePolicy } = wish;
    const denial = toDenial(session, wish);
    if (session.revoked) return `${denial}${REVOKED}`;
    const { organizationId, serviceControlPolicies = [] } = accounts.find(session.account);
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
        resourcePolicy: resourcePolicy && toPolicyAsMet(resourcePolicy, role),
        vpcEndpointPolicies: endpointPolicy && [named(endpointPolicy, 0)],
      },
      {},
    );
    if (result === undefined) throw new Error(`a policy for ${action} on ${resource}: ${JSON.stringify(errors)}`);
    const isMissing = action.startsWith("sts:") && target === undefined;
    if (result.analysis.result === "Allowed" && !isMissing) return undefined;
    return `${denial}${toReason(result.analysis, action, resource.split(":")[4] === session.account)}`;
  };
}

// AWS names one kind of policy, if several deny. Not verified: which.
const KINDS: readonly (readonly [AnalysisOf, string])[] = [
  ["scpAnalysis", "service control policy"],
  ["endpointAnalysis", "VPC endpoint policy"],
  ["resourceAnalysis", "resource-based policy"],
  ["identityAnalysis", "identity-based policy"],
  ["permissionBoundaryAnalysis", "permissions boundary"],
  ["sessionAnalysis", "session policy"],
];

/**
 * All of these words are AWS's: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
 * Not verified: that STS and Secrets Manager say them for every kind of policy.
 */
function toReason(analysis: Analysis, action: string, isSameAccount: boolean): string {
  const isAssumption = action.startsWith("sts:");
  const denies = (of: AnalysisOf) => /^(Explicitly|DeniedForAccount)/.test(analysis[of]?.result ?? "");
  const explicit = KINDS.find(([of]) => denies(of));
  if (explicit) {
    const [of, kind] = explicit;
    if (of === "resourceAnalysis" && isAssumption) return " with an explicit deny in the role trust policy";
    return ` with an explicit deny in ${of === "identityAnalysis" ? "an" : "a"} ${kind}`;
  }
  const implicit = KINDS.find(([of]) => {
    // Both must allow an assumption, and AWS does not tell which did not: https://github.com/aws/karpenter-provider-aws/issues/4680
    if (of === "identityAnalysis") return !isAssumption && analysis[of]?.result === "ImplicitlyDenied";
    if (of === "resourceAnalysis")
      return !isAssumption && !isSameAccount && !analysis[of]?.result.startsWith("Allowed");
    return analysis[of]?.result === "ImplicitlyDenied";
  });
  return implicit === undefined ? "" : ` because no ${implicit[1]} allows the ${action} action`;
}

/** An identifier that no role has. */
const NOBODY = "AROA00000000000000000";

/**
 * The policy as this role meets it: where it names the role, by its ARN with the path or by its identifier, it is matched,
 * and where it names another, not. The engine does not look at the path:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-roles
 */
function toPolicyAsMet(policy: PolicyDocument, role: Role): PolicyDocument {
  return mapPrincipals(policy, (principal) => {
    if (principal === role.id) return role.arn;
    return principal.includes(":role/") && principal !== role.arn ? NOBODY : principal;
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
