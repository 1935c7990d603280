import { findPolicyEngine } from "../../scripts/setup/policy-engine.ts";
import type { PolicyEngine } from "../fakes/aws.ts";

const at = findPolicyEngine();

/** Undefined where it is not installed; tests that need it are then left out, with these words. */
export const policyEngine: PolicyEngine | undefined = at === undefined ? undefined : await import(at);

export const WITHOUT_POLICY_ENGINE = "needs iam-simulate: npx tsx scripts/setup/policy-engine.ts";
