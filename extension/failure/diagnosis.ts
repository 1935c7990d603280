/**
 * From AWS's error to a cause, a message and a remedy. Pure.
 *
 * AWS's own text is never repeated: aws-error.ts takes the public facts from it.
 */
import { type AwsCall, type AwsErrorFacts, type Denial, parseAwsError, type Topic } from "./aws-error.ts";
import { Failure, type FailureCode } from "./failure.ts";
import { toRemedy } from "./remedies.ts";

/** Codes from the "Common Errors" pages of STS, Secrets Manager and SSM. A Map, because AWS's code may be any word. */
const commonCodes: ReadonlyMap<string, FailureCode> = new Map([
  ["ExpiredToken", "credentials-expired"],
  ["ExpiredTokenException", "credentials-expired"],
  ["InvalidClientTokenId", "credentials-invalid"],
  ["UnrecognizedClientException", "credentials-invalid"],
  ["MissingAuthenticationToken", "credentials-invalid"],
  ["MissingAuthenticationTokenException", "credentials-invalid"],
  ["SignatureDoesNotMatch", "signature-invalid"],
  ["InvalidSignatureException", "signature-invalid"],
  ["IncompleteSignature", "signature-invalid"],
  ["RequestExpired", "clock-skewed"],
  ["OptInRequired", "account-not-active"],
  ["SubscriptionRequiredException", "account-not-active"],
  ["Throttling", "throttled"],
  ["ThrottlingException", "throttled"],
  ["ThrottledException", "throttled"],
  ["TooManyRequestsException", "throttled"],
  ["RequestLimitExceeded", "throttled"],
  ["RequestAbortedException", "aws-error"],
  ["RequestTimeoutException", "aws-error"],
]);

/** Other codes of each operation. With any other code, the service rejects the request. */
const codesOf: Readonly<Record<AwsCall["operation"], ReadonlyMap<string, FailureCode>>> = {
  AssumeRole: new Map([
    ["AccessDenied", "assume-role-denied"],
    ["AccessDeniedException", "assume-role-denied"],
    ["NotAuthorized", "assume-role-denied"],
    ["RegionDisabledException", "region-disabled"],
  ]),
  // It needs no permission, so a refusal means that the credentials are not valid.
  GetCallerIdentity: new Map(),
  GetSecretValue: new Map([
    ["AccessDenied", "get-secret-value-denied"],
    ["AccessDeniedException", "get-secret-value-denied"],
    ["NotAuthorized", "get-secret-value-denied"],
    ["DecryptionFailure", "kms-denied"],
    ["ResourceNotFoundException", "secret-not-found"],
    ["InvalidRequestException", "secret-deleted"],
  ]),
  GetParameter: new Map([
    ["AccessDenied", "get-parameter-denied"],
    ["AccessDeniedException", "get-parameter-denied"],
    ["NotAuthorized", "get-parameter-denied"],
    ["InvalidKeyId", "kms-denied"],
    ["ParameterNotFound", "parameter-not-found"],
    ["ParameterVersionNotFound", "parameter-not-found"],
  ]),
};

const rejectedCodes: Readonly<Record<AwsCall["operation"], FailureCode>> = {
  AssumeRole: "assume-role-rejected",
  GetCallerIdentity: "credentials-invalid",
  GetSecretValue: "secret-id-rejected",
  GetParameter: "parameter-rejected",
};

export function diagnose(thrown: unknown, call: AwsCall): Failure {
  if (thrown instanceof Failure) return thrown;
  const error = parseAwsError(thrown);
  const code = toFailureCode(error, call);
  return new Failure(code, toMessage(code, error, call), {
    ...toRemedy(code, call, error),
    requestId: error.requestId,
    awsCode: error.awsCode,
  });
}

function toFailureCode(error: AwsErrorFacts, { operation }: AwsCall): FailureCode {
  const { awsCode, status, denial } = error;
  if (error.networkCode !== undefined) return "unreachable";
  if (error.isAbort) return "timeout";
  const common = awsCode === undefined ? undefined : commonCodes.get(awsCode);
  if (common !== undefined) return toFinerCode(common, denial);
  if (status === 429) return "throttled";
  if (error.isServerFault) return "aws-error";
  if (awsCode === undefined || status === undefined || status < 400) return "aws-response-invalid";
  return toFinerCode(codesOf[operation].get(awsCode) ?? rejectedCodes[operation], denial);
}

/** AWS has few codes. The text says more. */
function toFinerCode(code: FailureCode, { action, isExplicit, topic }: Denial): FailureCode {
  switch (code) {
    case "signature-invalid":
      if (topic === "clock") return "clock-skewed";
      return topic === "endpoint" ? "endpoint-mismatch" : code;
    case "assume-role-denied":
      if (isExplicit) return "explicit-deny";
      if (action === "sts:TagSession") return "tag-session-denied";
      return action === "sts:SetSourceIdentity" ? "source-identity-denied" : code;
    case "get-secret-value-denied":
    case "get-parameter-denied":
    case "kms-denied":
    case "secret-deleted":
    case "secret-not-found":
      return toReadCode(topic, isExplicit) ?? code;
    default:
      return code;
  }
}

function toReadCode(topic: Topic | undefined, isExplicit: boolean): FailureCode | undefined {
  // An explicit deny of kms:Decrypt says more than that the text is about the key.
  const code = topic === undefined || (topic === "key" && isExplicit) ? undefined : topicCodes[topic];
  return code ?? (isExplicit ? "explicit-deny" : undefined);
}

/** The topics that tell the cause of a failed read. */
const topicCodes: Readonly<Partial<Record<Topic, FailureCode>>> = {
  "key disabled": "kms-key-unusable",
  "key pending deletion": "kms-key-unusable",
  "key pending import": "kms-key-unusable",
  "key in another state": "kms-key-unusable",
  "key absent": "kms-key-not-found",
  "key throttled": "throttled",
  "key of an old version": "kms-denied",
  "default key": "kms-default-key",
  key: "kms-denied",
  version: "secret-version-not-found",
  "stage of another version": "secret-version-not-found",
};

function toMessage(code: FailureCode, error: AwsErrorFacts, call: AwsCall): string {
  const what = toPhrase(call);
  switch (code) {
    case "kms-denied":
      return `${what} was refused because its KMS key may not be used`;
    case "kms-key-unusable":
      return `${what} was refused because its KMS key ${toKeyState(error.denial)}`;
    case "kms-key-not-found":
      return `${what} was refused because its KMS key does not exist`;
    case "kms-default-key":
      return `${what} was refused: its KMS key is the default key of Secrets Manager, which other accounts cannot use`;
    case "explicit-deny":
      return `${what} was refused (${error.awsCode}) by an explicit deny${toPolicySuffix(error.denial)}`;
    case "secret-not-found":
      return `${what} found no such secret`;
    case "secret-version-not-found":
      return `${what} found the secret, but no such version or stage`;
    case "parameter-not-found":
      return `${what} found no such parameter, version or label`;
    case "secret-deleted":
      return `${what} was refused: the secret is scheduled for deletion, or has no value`;
    case "throttled":
      return `${what} was throttled`;
    case "aws-error":
      return `${what} failed at AWS (${error.awsCode ?? `status ${error.status}`})`;
    case "unreachable":
      return `${what} could not reach AWS (${error.networkCode})`;
    case "timeout":
      return `${what} got no answer in time`;
    case "aws-response-invalid":
      return `${what} got an answer that does not come from AWS${error.status === undefined ? "" : ` (status ${error.status})`}`;
    case "endpoint-mismatch":
      return `${what} was refused (${error.awsCode}): the endpoint is not for this region, or not for this service`;
    case "account-not-active":
      return `${what} was refused (${error.awsCode}): the account is not active, or not signed up for this service`;
    case "clock-skewed":
      return `${what} was refused (${error.awsCode}): this machine's clock differs from AWS's clock`;
    default:
      return `${what} was refused (${error.awsCode})${toReason(error.denial)}`;
  }
}

function toKeyState({ topic }: Denial): string {
  switch (topic) {
    case "key disabled":
      return "is disabled";
    case "key pending deletion":
      return "is scheduled for deletion";
    case "key pending import":
      return "has no key material";
    default:
      return "is in a state in which it cannot be used";
  }
}

const toPolicySuffix = ({ policyType }: Denial): string => (policyType === undefined ? "" : ` in the ${policyType}`);

/** In AWS's own terms, if it says why. */
function toReason({ action, policyType }: Denial): string {
  const which = action === "sts:TagSession" || action === "sts:SetSourceIdentity" ? `: ${action} is not allowed` : "";
  return policyType === undefined ? which : `: no ${policyType} allows ${action ?? "it"}`;
}

function toPhrase({ operation, roleArn, region, id }: AwsCall): string {
  if (operation === "AssumeRole") return `AssumeRole of ${roleArn} in ${region}`;
  if (operation === "GetCallerIdentity") return `GetCallerIdentity in ${region}`;
  return `${operation} of ${id} in ${region} as ${roleArn}`;
}

/** The failure of a call that has no answer at its deadline. */
export function toTimeout(call: AwsCall): Failure {
  return diagnose({ name: "TimeoutError" }, call);
}
