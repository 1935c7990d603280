import type { AwsRequest } from "./operation.ts";
import { type AuthenticatedCaller, toInjectedDenial } from "./permissions.ts";
import { type ErrorAnswer, toErrorAnswer } from "./wire.ts";

/** What can go wrong with an operation. */
export type Fault =
  /** The right answer, computed when the request arrives, is sent late. */
  | { readonly kind: "slow"; readonly delayMs: number }
  /** The right answer, computed when the request arrives, is sent byte by byte. */
  | { readonly kind: "drip"; readonly everyMs: number }
  /** The request is read and never answered. */
  | { readonly kind: "hang" }
  /** The request is read, then the connection is reset. */
  | { readonly kind: "reset" }
  /** The connection is reset in the middle of the right answer's body. */
  | { readonly kind: "reset-mid-body" }
  /** A 200 with a broken body: JSON with a syntax error at the secret itself, or half of an XML document. */
  | { readonly kind: "malformed" }
  /** "Rate exceeded", in the service's own shape. */
  | { readonly kind: "throttle" }
  /** "Not authorized", in the service's own shape, whatever the policies allow. */
  | { readonly kind: "deny" }
  /** Any error, in the service's own shape. */
  | { readonly kind: "error"; readonly status: number; readonly code: string; readonly message?: string };

/** The calls that a fault applies to. */
export interface FaultScope {
  /** How many calls. Default: all until `heal`. */
  readonly times?: number;
  /** Only calls that are signed for this region. Default: all regions. */
  readonly region?: string;
  /** Only calls for this `SecretId`. Default: all. */
  readonly secretId?: string;
}

/** The current faults, oldest first. */
export interface FaultPlan {
  add(operation: string, fault: Fault, scope: FaultScope): void;
  heal(operation?: string): void;
  /** Returns the fault that this call gets, and counts the call as one of its times. */
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

/** Returns the error that a fault answers, if it answers one. */
export function toFaultAnswer(
  fault: Fault | undefined,
  request: AwsRequest,
  caller: AuthenticatedCaller,
): ErrorAnswer | undefined {
  if (fault?.kind === "throttle") return toErrorAnswer(request.service, "throttled", "Rate exceeded");
  if (fault?.kind === "deny") return toErrorAnswer(request.service, "denied", toInjectedDenial(caller, request));
  if (fault?.kind === "error") return { message: "scripted by a test", ...fault };
  return undefined;
}

/** The body for the fault `malformed`. */
export function toMalformed(body: string): string {
  const unquoted = body.replace('"SecretString":"', '"SecretString":');
  return unquoted === body ? body.slice(0, body.length / 2) : unquoted;
}
