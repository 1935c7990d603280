/**
 * What to change so that a refused call to AWS works: in words, and as policy statements to paste. If AWS's error leaves
 * several causes open, the remedy names them all. Pure.
 */
import type { AwsCall, AwsErrorFacts } from "./aws-error.ts";
import type { FailureCode } from "./failure.ts";
import { type Remedy, toAssumeRemedy, toExplicitRemedy, toKeyRemedy, toReadRemedy } from "./policy-remedies.ts";

/** Empty if no change would help. */
export function toRemedy(
  code: FailureCode,
  call: AwsCall,
  { denial, isAboutCertificate }: Pick<AwsErrorFacts, "denial" | "isAboutCertificate">,
): Remedy {
  switch (code) {
    case "assume-role-denied":
    case "tag-session-denied":
    case "source-identity-denied":
      return toAssumeRemedy(code, call, denial);
    case "get-secret-value-denied":
    case "get-parameter-denied":
      return toReadRemedy(call, denial);
    case "kms-denied":
      return toKeyRemedy(call, denial);
    case "explicit-deny":
      return toExplicitRemedy(call, denial);
    default: {
      const remedy = toAdvice(code, call, isAboutCertificate);
      return remedy === undefined ? {} : { remedy };
    }
  }
}

function toAdvice(code: FailureCode, call: AwsCall, isAboutCertificate: boolean): string | undefined {
  const { operation, roleArn, region, id } = call;
  switch (code) {
    case "kms-key-unusable":
      return `the KMS key of ${id} is disabled, or its deletion is scheduled: in the key's account run aws kms enable-key, or aws kms cancel-key-deletion and then enable-key; aws kms describe-key shows its state`;
    case "kms-default-key":
      return `the key aws/secretsmanager can be used only in its own account: give ${id} a customer-managed KMS key, or read it through a role of the account that owns it`;
    case "assume-role-rejected":
      return "check what is sent with AssumeRole: the role's ARN, the external ID, the session name, the tags and the duration";
    case "region-disabled":
      return `enable the region ${region} for STS in the account of ${roleArn}: under Account settings in the IAM console`;
    case "secret-not-found":
      return `check the name and the region ${region}; the secret must be in the account of ${roleArn}, or be asked for by its whole ARN`;
    case "secret-version-not-found":
      return `${id} exists, but not this version or stage. Without versionId and versionStage it is AWSCURRENT, which a secret has as soon as it has a value: aws secretsmanager put-secret-value`;
    case "parameter-not-found":
      return `check the name, the version or label, and the region ${region}; the parameter must be in the account of ${roleArn}`;
    case "parameter-rejected":
      return "check the parameter's name, and the version or label; a reference to a secret needs withDecryption=true";
    case "secret-deleted":
      return "restore the secret with aws secretsmanager restore-secret, or give it a value";
    case "secret-id-rejected":
      return "check the secret's id, the version id and the stage";
    case "credentials-expired":
    case "credentials-invalid":
      return operation === "AssumeRole"
        ? `the function's own credentials are no longer valid, or the region ${region} is not enabled in their account; a new execution environment has new ones`
        : `the session of ${roleArn} was ended, or the region ${region} is not enabled in its account; the extension asks for a new session when it renews this one`;
    case "clock-skewed":
      return "set the clock of this machine: AWS refuses requests that were signed minutes before or after its own time";
    case "signature-invalid":
      return "check the secret access key, and that nothing between here and AWS changes the request";
    case "throttled":
      return "fewer environments at once, or a longer TTL, make fewer calls; the quota can be raised";
    case "aws-response-invalid":
      return "something other than AWS answers: check AWS_ENDPOINT_URL…, any proxy and the resolver";
    case "unreachable":
    case "timeout":
      return isAboutCertificate
        ? CERTIFICATE
        : toRouteRemedy(operation === "GetParameter" ? "parameter" : "secret", region);
    default:
      return undefined;
  }
}

const CERTIFICATE =
  "the certificate is not trusted: name the certificate authority of a proxy in NODE_EXTRA_CA_CERTS, and check the clock";

/** https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html */
export function toRouteRemedy(word: "secret" | "parameter", region: string): string {
  const service = word === "parameter" ? "ssm" : "secretsmanager";
  return `a function in a VPC needs a NAT gateway, or two interface endpoints with private DNS names, for sts and ${service} in ${region}, and security groups that allow it to reach them on port 443; HTTPS_PROXY is ignored`;
}
