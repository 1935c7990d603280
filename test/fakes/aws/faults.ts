import type { AwsRequest } from "./operation.ts";
import { type Caller, toGroundlessDenial } from "./permissions.ts";
import { type Refusal, refuse } from "./wire.ts";

/** What can go wrong with an operation. */
export type Fault =
  /** The right answer, as of the time of the request, comes late. */
  | { readonly kind: "slow"; readonly delayMs: number }
  /** The right answer, as of the time of the request, comes byte by byte. */
  | { readonly kind: "drip"; readonly everyMs: number }
  /** The request is read, and never answered. */
  | { readonly kind: "hang" }
  /** The request is read, and the connection reset. */
  | { readonly kind: "reset" }
  /** The right answer breaks off in the middle of its body. */
  | { readonly kind: "reset-mid-body" }
  /** A 200 whose body is not what it says: JSON in which a parser stumbles over the secret itself, or half of an XML document. */
  | { readonly kind: "malformed" }
  /** "Rate exceeded", in the service's own shape. */
  | { readonly kind: "throttle" }
  /** "Not authorized", in the service's own shape, whatever the policies say. */
  | { readonly kind: "deny" }
  /** Any error, in the service's own shape. */
  | { readonly kind: "error"; readonly status: number; readonly code: string; readonly message?: string };

/** Which calls a fault is for. */
export interface FaultScope {
  /** Default: until healed. */
  readonly times?: number;
  /** Calls signed for this region only. Default: all. */
  readonly region?: string;
  /** Calls for this `SecretId` only. Default: all. */
  readonly secretId?: string;
}

/** The faults in force, the oldest first. */
export interface FaultPlan {
  add(operation: string, fault: Fault, scope: FaultScope): void;
  heal(operation?: string): void;
  /** The fault that this call runs into, which counts as one of its times. */
  take(request: AwsRequest, region: string): Fault | undefined;
}

export function createFaultPlan(): FaultPlan {
  let plan: { operation: string; fault: Fault; scope: FaultScope; timesLeft: number }[] = [];
  return {
    add(operation, fault, scope) {
      plan.push({ operation, fault, scope, timesLeft: scope.times ?? Number.POSITIVE_INFINITY });
    },
    heal(operation) {
      plan = plan.filter((entry) => operation !== undefined && entry.operation !== operation);
    },
    take({ operation, parameters }, region) {
      const entry = plan.find(
        ({ scope, ...entry }) =>
          entry.operation === operation &&
          entry.timesLeft > 0 &&
          (scope.region ?? region) === region &&
          (scope.secretId === undefined || scope.secretId === parameters.get("SecretId")),
      );
      if (entry) entry.timesLeft -= 1;
      return entry?.fault;
    },
  };
}

/** The refusal that a fault stands for, if it is one. */
export function refusalOfFault(fault: Fault | undefined, request: AwsRequest, caller: Caller): Refusal | undefined {
  if (fault?.kind === "throttle") return refuse(request.service, "throttled", "Rate exceeded");
  if (fault?.kind === "deny") return refuse(request.service, "denied", toGroundlessDenial(caller, request));
  if (fault?.kind === "error") return { message: "scripted by a test", ...fault };
  return undefined;
}

/** See the fault `malformed`. */
export function toMalformed(body: string): string {
  const unquoted = body.replace('"SecretString":"', '"SecretString":');
  return unquoted === body ? body.slice(0, body.length / 2) : unquoted;
}
