/** What to change so that a refused call to AWS works. Pure. */
import type { AwsCall } from "./diagnosis.ts";
import type { FailureCode } from "./errors.ts";

/** What the interface endpoints of the services are called: https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html */
const endpointNames = { AssumeRole: "sts", GetSecretValue: "secretsmanager", GetParameter: "ssm" } as const;

/** Undefined where there is nothing that would help. */
export function toRemedy(code: FailureCode, call: AwsCall, isAboutCertificate: boolean): string | undefined {
  const { operation, roleArn, region, id } = call;
  switch (code) {
    case "assume-role-denied":
      return `both sides must agree: the trust policy of ${roleArn} must name the function's execution role (and match its external ID or organization condition, if it has one), and the execution role's own policy must allow sts:AssumeRole on ${roleArn}`;
    case "assume-role-rejected":
      return "check what is sent with AssumeRole: the role's ARN, the external ID, the session name and the duration";
    case "region-disabled":
      return `enable the region ${region} in the account of ${roleArn}, in its STS settings`;
    case "get-secret-value-denied":
      return `allow ${roleArn} secretsmanager:GetSecretValue on the secret's ARN, ending in -?????? for the six characters that AWS appends; AWS says the same when no secret of that name is in that account and region, so check ${id} and ${region} too`;
    case "get-parameter-denied":
      return `allow ${roleArn} ssm:GetParameter on the parameter's ARN, without a second slash after parameter/; AWS says the same when no parameter of that name is in that account and region, so check ${id} and ${region} too`;
    case "kms-denied":
      return `allow ${roleArn} kms:Decrypt and kms:DescribeKey in the key's policy and in its own, and see that the key is enabled`;
    case "secret-not-found":
      return `check the name, the version and the region ${region}; the secret must be in the account of ${roleArn}`;
    case "parameter-not-found":
      return `check the name, the version or label, and the region ${region}; the parameter must be in the account of ${roleArn}`;
    case "parameter-rejected":
      return "check the parameter's name, and the version or label; a reference to a secret needs withDecryption=true";
    case "secret-deleted":
      return "restore the secret with aws secretsmanager restore-secret, or put a value into it";
    case "secret-id-rejected":
      return "check the secret's id, the version id and the stage";
    case "credentials-expired":
    case "credentials-invalid":
      return operation === "AssumeRole"
        ? "the function's own credentials are no longer good; a new execution environment has new ones"
        : `the session of ${roleArn} was ended; the next one is asked for when it is renewed`;
    case "signature-invalid":
      return "check the clock of this machine, and the secret access key";
    case "throttled":
      return "fewer environments at once, or a longer TTL, make fewer calls; the quota can be raised";
    case "unreachable":
    case "timeout":
      if (isAboutCertificate) {
        return "the certificate is not trusted: name a proxy's own authority in NODE_EXTRA_CA_CERTS, and check the clock";
      }
      return `a function in a VPC needs a NAT gateway, or interface endpoints for ${endpointNames[operation]} in ${region}, and a security group that lets it reach them`;
    default:
      return undefined;
  }
}
