/**
 * What to change so that a refused call to AWS works: in words, and as policy statements to paste. If AWS's error leaves
 * several causes open, the remedy names them all. Pure.
 */
import type { AwsCall, AwsErrorFacts, Topic } from "./aws-error.ts";
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
      const remedy = toAdvice(code, call, { topic: denial.topic, isAboutCertificate });
      return remedy === undefined ? {} : { remedy };
    }
  }
}

function toAdvice(
  code: FailureCode,
  call: AwsCall,
  { topic, isAboutCertificate }: { readonly topic: Topic | undefined; readonly isAboutCertificate: boolean },
): string | undefined {
  const { operation, roleArn, region, id } = call;
  switch (code) {
    case "kms-key-unusable":
      return `in the account of the KMS key of ${id}, ${toKeyAdvice(topic)}; aws kms describe-key shows its state`;
    case "kms-key-not-found":
      return `the KMS key of ${id} was deleted, or is in another region or account than its ARN says. A value under a deleted key is lost: ${operation === "GetParameter" ? "write it again under another key with aws ssm put-parameter --key-id" : "give the secret another key with aws secretsmanager update-secret --kms-key-id, and its value again"}`;
    case "kms-default-key":
      return `the key aws/secretsmanager can be used only in its own account: give ${id} a customer-managed KMS key, or read it through a role of the account that owns it`;
    case "assume-role-rejected":
      return toInputAdvice(topic);
    case "region-disabled":
      return `enable the region ${region} for STS in the account of ${roleArn}: under Account settings in the IAM console`;
    case "account-not-active":
      return `the account ${operation === "GetSecretValue" || operation === "GetParameter" ? `of ${roleArn}` : "of the caller's credentials"} is not signed up for this service, was suspended, or is still being verified: sign in to its console, which says what is missing`;
    case "secret-not-found":
      return `check the name and the region ${region}; the secret must be in the account of ${roleArn}, or be asked for by its whole ARN`;
    case "secret-version-not-found":
      if (topic === "stage of another version")
        return `the version of ${id} that versionId names does not have the stage that versionStage names: send only one of them; aws secretsmanager list-secret-version-ids shows the stages of each version`;
      return `${id} exists, but not this version or stage. If a request has neither versionId nor versionStage, the version is AWSCURRENT. The secret has none until it has a value: run aws secretsmanager put-secret-value`;
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
        : `the session of ${roleArn} was ended, or the region ${region} is not enabled in its account; the extension renews the session by itself`;
    case "clock-skewed":
      return "set the clock of this machine: AWS refuses requests that were signed minutes before or after its own time";
    case "signature-invalid":
      return "check the secret access key and the access key ID, and that nothing between here and AWS changes the request";
    case "endpoint-mismatch":
      return toEndpointAdvice(call);
    case "throttled":
      if (topic === "key throttled")
        return `AWS KMS throttles the account of the KMS key of ${id}: a longer TTL makes fewer calls; the quota of KMS can be raised`;
      return "fewer environments at once, or a longer TTL, make fewer calls; the quota can be raised";
    case "aws-response-invalid":
      return "something other than AWS answers: check AWS_ENDPOINT_URL…, any proxy and DNS";
    case "unreachable":
    case "timeout":
      return isAboutCertificate
        ? CERTIFICATE
        : toRouteRemedy(operation === "GetParameter" ? "parameter" : "secret", region);
    default:
      return undefined;
  }
}

/** https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html */
function toKeyAdvice(topic: Topic | undefined): string {
  switch (topic) {
    case "key disabled":
      return "run aws kms enable-key";
    case "key pending deletion":
      return "run aws kms cancel-key-deletion and then enable-key";
    case "key pending import":
      return "run aws kms import-key-material with the same key material again: it was deleted, has expired, or was never imported";
    default:
      return "make the key usable: its custom key store may be disconnected, or it is still being created or updated";
  }
}

/** What AssumeRole was sent. If AWS does not say what it does not accept, all of it. */
function toInputAdvice(topic: Topic | undefined): string {
  switch (topic) {
    case "role ARN":
      return "check CROSS_ACCOUNT_SECRETS_ROLE_ARN: STS accepts the ARN of a role, arn:<partition>:iam::<12 digits>:role/<path/name>, of the region's partition";
    case "external ID":
      return "check CROSS_ACCOUNT_SECRETS_EXTERNAL_ID";
    case "session name":
      return "check CROSS_ACCOUNT_SECRETS_ROLE_SESSION_NAME";
    case "source identity":
      return "check CROSS_ACCOUNT_SECRETS_SOURCE_IDENTITY";
    case "duration":
      return "set CROSS_ACCOUNT_SECRETS_DURATION_SECONDS to at most 3600, which is AWS's limit for a caller that is itself a role, and to at most the role's maximum session duration";
    case "tags":
      return "check CROSS_ACCOUNT_SECRETS_SESSION_TAGS: there are too many, one is there twice, or one is already a transitive tag of the caller's own session";
    case "session policy":
      return "set CROSS_ACCOUNT_SECRETS_SESSION_POLICY to none; if it is too large, shorter CROSS_ACCOUNT_SECRETS_SESSION_TAGS also help, because AWS limits both together";
    default:
      return "check what is sent with AssumeRole: the role's ARN, the external ID, the session name, the tags and the duration";
  }
}

/** AWS says this about a region that does not exist, and about one that the endpoint is not for. */
function toEndpointAdvice({ operation, region }: AwsCall): string {
  const [setting, endpoint] = {
    AssumeRole: ["AWS_REGION", "AWS_ENDPOINT_URL_STS"],
    GetCallerIdentity: ["AWS_REGION", "AWS_ENDPOINT_URL_STS"],
    GetSecretValue: [
      "CROSS_ACCOUNT_SECRETS_REGION, or the region in the secret's ARN",
      "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    ],
    GetParameter: ["CROSS_ACCOUNT_SECRETS_REGION, or the region in the parameter's ARN", "AWS_ENDPOINT_URL_SSM"],
  }[operation];
  return `the request was signed for the region ${region}, and reached an endpoint of another region or service: check that there is such a region (${setting}), that ${endpoint} is of the same region and service, and whether a proxy or DNS leads elsewhere`;
}

const CERTIFICATE =
  "the certificate is not trusted: name the certificate authority of a proxy in AWS_CA_BUNDLE or NODE_EXTRA_CA_CERTS, and check the clock";

/** https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html */
export function toRouteRemedy(word: "secret" | "parameter", region: string): string {
  const service = word === "parameter" ? "ssm" : "secretsmanager";
  return `a function in a VPC needs a NAT gateway, or two interface endpoints with private DNS names, for sts and ${service} in ${region}, and security groups that allow it to reach them on port 443; HTTPS_PROXY is ignored`;
}
