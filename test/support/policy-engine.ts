import { findPolicyEngine } from "../../scripts/setup/policy-engine.ts";
import type { PolicyEngine } from "../fakes/aws.ts";

const path = findPolicyEngine();

/** Undefined if it is not installed. Tests that need it are then skipped, and their titles say so. */
export const policyEngine: PolicyEngine | undefined = path === undefined ? undefined : await import(path);

export const WITHOUT_POLICY_ENGINE = "needs iam-simulate: npx tsx scripts/setup/policy-engine.ts";
