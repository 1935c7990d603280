import type { Iam } from "./iam.ts";
import type { AuthenticatedCaller } from "./permissions.ts";
import { type Authorization, isSignedWith, parseAmzDate, type ReceivedRequest, toAmzDate } from "./signature.ts";
import { type AwsService, type ErrorAnswer, toErrorAnswer, WIRES } from "./wire.ts";

interface Authentication {
  readonly request: ReceivedRequest;
  readonly authorization: Authorization | undefined;
  readonly service: AwsService;
  readonly iam: Iam;
  readonly regions: readonly string[] | undefined;
  readonly nowMs: number;
}

/** Returns the caller who signed the request, or AWS's error. The order of the checks is not verified. */
export async function authenticate(authentication: Authentication): Promise<AuthenticatedCaller | ErrorAnswer> {
  const { request, authorization, service, iam, regions, nowMs } = authentication;
  if (request.headers.authorization === undefined) {
    // https://github.com/amzn/selling-partner-api-docs/issues/3081
    return toErrorAnswer(service, "missing authentication", "Request is missing Authentication Token");
  }
  const date = request.headers["x-amz-date"] ?? "";
  const signedAtMs = parseAmzDate(date);
  if (authorization === undefined || signedAtMs === undefined) {
    return toErrorAnswer(service, "incomplete signature", "Authorization header or X-Amz-Date is missing or malformed");
  }
  const problem =
    findScopeProblem(authorization, service, regions) ??
    findClockProblem(date, signedAtMs, nowMs, WIRES[service].clockToleranceMinutes);
  if (problem) return toErrorAnswer(service, "wrong signature", problem);

  const caller = iam.findSession(authorization.accessKeyId);
  if (caller === undefined || request.headers["x-amz-security-token"] !== caller.session.sessionToken) {
    // Not verified for a session of a deleted role.
    return toErrorAnswer(service, "unknown key", "The security token included in the request is invalid.");
  }
  if (nowMs >= caller.session.expiresAtMs) {
    return toErrorAnswer(service, "expired token", "The security token included in the request is expired");
  }
  if (!(await isSignedWith(caller.session.secretAccessKey, request, authorization))) {
    return toErrorAnswer(
      service,
      "wrong signature",
      "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
    );
  }
  return caller;
}

function findScopeProblem(
  { service, region, signedHeaders }: Authorization,
  expected: AwsService,
  regions: readonly string[] | undefined,
): string | undefined {
  // Not verified: the words of this message.
  if (service !== expected) return `Credential should be scoped to correct service: '${expected}'. `;
  const isRegion = regions ? regions.includes(region) : /^[a-z]{2}(-[a-z]+)+-\d$/.test(region);
  // STS: https://github.com/namecheap/node-vault-client/issues/25, Secrets Manager: https://github.com/minio/kes/pull/303
  if (!isRegion) return "Credential should be scoped to a valid region. ";
  // https://github.com/opensearch-project/opensearch-php/issues/248
  if (!signedHeaders.has("host")) return "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
  return undefined;
}

/** https://github.com/boto/botocore/issues/3587 (too old), https://github.com/s12v/awsbeats/issues/48 (too new) */
function findClockProblem(date: string, signedAtMs: number, nowMs: number, minutes: number): string | undefined {
  const toleranceMs = minutes * 60_000;
  const now = toAmzDate(nowMs);
  if (signedAtMs < nowMs - toleranceMs) {
    return `Signature expired: ${date} is now earlier than ${toAmzDate(nowMs - toleranceMs)} (${now} - ${minutes} min.)`;
  }
  if (signedAtMs > nowMs + toleranceMs) {
    return `Signature not yet current: ${date} is still later than ${toAmzDate(nowMs + toleranceMs)} (${now} + ${minutes} min.)`;
  }
  return undefined;
}
