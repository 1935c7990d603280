/**
 * Texts that AWS is known to send, each with the public place where it was seen. Names and ids in them are examples. A text of
 * KMS was seen in KMS's own answer, or in that of the service that passed it on.
 */
import { describe, expect, it } from "vitest";
import type { AwsCall } from "../../../extension/failure/aws-error.ts";
import { diagnose } from "../../../extension/failure/diagnosis.ts";
import type { FailureCode } from "../../../extension/failure/failure.ts";
import { AWS_CALLS } from "../../support/aws-calls.ts";

type Operation = AwsCall["operation"];
interface AwsText {
  readonly operation: Operation;
  readonly awsCode: string;
  readonly status: number;
  readonly text: string;
  readonly cause: FailureCode;
  /** What the remedy must contain: every possible cause, if the text leaves more than one. */
  readonly tells: readonly string[];
  /** What would be wrong advice. */
  readonly not?: RegExp;
  readonly seen: string;
}

const GITHUB = "https://github.com/";
const LOCALSTACK = `${GITHUB}localstack/localstack/blob/8b9a79f/tests/aws/services`;
const STS_SNAPSHOT = `${LOCALSTACK}/sts/test_sts.snapshot.json`;
const KMS_SNAPSHOT = `${LOCALSTACK}/kms/test_kms.snapshot.json`;
const SECRETS_SNAPSHOT = `${LOCALSTACK}/secretsmanager/test_secretsmanager.snapshot.json`;
const DENIALS = "https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html";
const CROSS_ACCOUNT_KEY = "https://repost.aws/knowledge-center/secrets-manager-cross-account-key";

const ROLE = "arn:aws:iam::111111111111:role/SecretReader";
const CALLER = "User: arn:aws:sts::222222222222:assumed-role/my-lambda-role/my-function is not authorized to perform:";
const READER = "User: arn:aws:sts::111111111111:assumed-role/SecretReader/my-function is not authorized to perform:";
const KEY = "arn:aws:kms:eu-west-1:111111111111:key/0f9b04ee-ab13-4f35-a2b2-d0902bfe6a1e";
const SECRET = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:app/db-AbCdEf";
const PARAMETER = "arn:aws:ssm:eu-west-1:111111111111:parameter/app/flag";
const toKmsSource = (code: string) =>
  `(Service: AWSKMS; Status Code: 400; Error Code: ${code}; Request ID: a45f1c26-e158-43b1-88e7-576d40fd5c77; Proxy: null)`;

type Row = readonly [awsCode: string, status: number, text: string, ...Expected];
type Expected = readonly [cause: FailureCode, tells: readonly string[], seen: string, not?: RegExp];

const SECRET_KEY = /secret access key/;
const POLICIES = /trust policy|key policy|policy of the KMS key/;
const BOTH_SIDES = ["Account A:", "Account B:", "external ID", "AROA…", `there is no role ${ROLE}`];

/** Signatures, credentials and quotas: the words are the same for all services. */
const common: readonly Row[] = [
  [
    "SignatureDoesNotMatch",
    403,
    "Credential should be scoped to a valid region. ",
    "endpoint-mismatch",
    ["AWS_REGION", "AWS_ENDPOINT_URL_STS", "eu-west-1"],
    `${GITHUB}hashicorp/terraform-provider-aws/issues/34865`,
    SECRET_KEY,
  ],
  [
    "SignatureDoesNotMatch",
    403,
    "Credential should be scoped to a valid region, not 'us-east-2'. ",
    "endpoint-mismatch",
    ["AWS_REGION", "AWS_ENDPOINT_URL_STS"],
    `${GITHUB}cloud-custodian/cloud-custodian/issues/4874`,
    SECRET_KEY,
  ],
  [
    "SignatureDoesNotMatch",
    403,
    "Credential should be scoped to correct service: 'batch'. ",
    "endpoint-mismatch",
    ["AWS_ENDPOINT_URL_STS"],
    `${GITHUB}cllunsford/aws-signing-proxy/issues/25`,
    SECRET_KEY,
  ],
  [
    "SignatureDoesNotMatch",
    403,
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
    "signature-invalid",
    ["secret access key", "changes the request"],
    `${GITHUB}devsecops/bootcamp/issues/118`,
  ],
  [
    "SignatureDoesNotMatch",
    403,
    "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
    "signature-invalid",
    ["changes the request"],
    `${GITHUB}opensearch-project/opensearch-php/issues/248`,
  ],
  [
    "SignatureDoesNotMatch",
    403,
    "Signature expired: 20160609T184512Z is now earlier than 20160610T013008Z (20160610T014508Z - 15 min.)",
    "clock-skewed",
    ["set the clock"],
    `${GITHUB}devsecops/bootcamp/issues/101`,
    SECRET_KEY,
  ],
  [
    "SignatureDoesNotMatch",
    403,
    "Signature not yet current: 20170721T074556Z is still later than 20170721T073454Z (20170721T072954Z + 5 min.)",
    "clock-skewed",
    ["set the clock"],
    `${GITHUB}s12v/awsbeats/issues/48`,
    SECRET_KEY,
  ],
  [
    "RequestExpired",
    400,
    "The request reached the service more than 15 minutes after the date stamp on the request or more than 15 minutes after the request expiration date (such as for pre-signed URLs), or the date stamp on the request is more than 15 minutes in the future.",
    "clock-skewed",
    ["set the clock"],
    "https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html",
    SECRET_KEY,
  ],
  [
    "MissingAuthenticationToken",
    403,
    "Request is missing Authentication Token",
    "credentials-invalid",
    ["the function's own credentials", "eu-west-1"],
    `${GITHUB}amzn/selling-partner-api-docs/issues/3081`,
  ],
  [
    "InvalidClientTokenId",
    403,
    "The security token included in the request is invalid.",
    "credentials-invalid",
    ["the function's own credentials", "the region eu-west-1 is not enabled"],
    `${GITHUB}remotion-dev/github-unwrapped-2022/issues/34`,
  ],
  [
    "ExpiredToken",
    403,
    "The security token included in the request is expired",
    "credentials-expired",
    ["a new execution environment"],
    `${GITHUB}boto/boto3/issues/1431`,
  ],
  [
    "Throttling",
    400,
    "Rate exceeded",
    "throttled",
    ["TTL", "quota"],
    `${GITHUB}jlevers/selling-partner-api/issues/278`,
  ],
  [
    "OptInRequired",
    403,
    "The AWS Access Key Id needs a subscription for the service",
    "account-not-active",
    ["signed up", "suspended", "being verified"],
    `${GITHUB}CyberFerret/FaceRekognition-Demo/issues/3`,
  ],
];

const assumeRole: readonly Row[] = [
  ...common,
  [
    "AccessDenied",
    403,
    `${CALLER} sts:AssumeRole on resource: ${ROLE}`,
    "assume-role-denied",
    BOTH_SIDES,
    `${GITHUB}pulumi/pulumi-aws/issues/4849`,
  ],
  [
    "AccessDenied",
    403,
    "Not authorized to perform sts:AssumeRole",
    "assume-role-denied",
    BOTH_SIDES,
    `${GITHUB}Netflix/security_monkey/issues/732`,
  ],
  [
    "AccessDenied",
    403,
    "Roles may not be assumed by root accounts.",
    "assume-role-denied",
    ["root user", "a role or of an IAM user"],
    `${GITHUB}kubernetes/kubectl/issues/1243`,
    POLICIES,
  ],
  [
    "AccessDenied",
    403,
    `${CALLER} sts:AssumeRole on resource: ${ROLE} because no identity-based policy allows the sts:AssumeRole action`,
    "assume-role-denied",
    ["a policy of the role my-lambda-role of account 222222222222 must allow"],
    DENIALS,
    /trust policy/,
  ],
  [
    "AccessDenied",
    403,
    `${CALLER} sts:AssumeRole on resource: ${ROLE} because no role trust policy allows the sts:AssumeRole action`,
    "assume-role-denied",
    [`the trust policy of ${ROLE} must trust`],
    DENIALS,
  ],
  [
    "AccessDenied",
    403,
    `${CALLER} sts:AssumeRole on resource: ${ROLE} because no permissions boundary allows the sts:AssumeRole action`,
    "assume-role-denied",
    ["the permissions boundary of the role my-lambda-role"],
    DENIALS,
  ],
  [
    "AccessDenied",
    403,
    `${CALLER} sts:AssumeRole on resource: ${ROLE} because no service control policy allows the sts:AssumeRole action`,
    "assume-role-denied",
    ["a service control policy"],
    DENIALS,
  ],
  [
    "AccessDenied",
    403,
    `${CALLER} sts:AssumeRole on resource: ${ROLE} because no VPC endpoint policy allows the sts:AssumeRole action`,
    "assume-role-denied",
    ["the policy of the VPC endpoint"],
    DENIALS,
  ],
  [
    "AccessDenied",
    403,
    `${CALLER} sts:AssumeRole on resource: ${ROLE} with an explicit deny in a service control policy`,
    "explicit-deny",
    ["a service control policy"],
    DENIALS,
  ],
  [
    "AccessDenied",
    403,
    `${CALLER} sts:AssumeRole on resource: ${ROLE} with an explicit deny in a service control policy: arn:aws:organizations::333333333333:policy/o-b2fpbzyd95/service_control_policy/p-v4qqk7we`,
    "explicit-deny",
    ["a service control policy"],
    `${GITHUB}ministryofjustice/aws-root-account/pull/1494`,
  ],
  [
    "AccessDenied",
    403,
    `${CALLER} sts:AssumeRole on resource: ${ROLE} with an explicit deny in a resource control policy`,
    "explicit-deny",
    ["a resource control policy of the organization that applies to account 111111111111"],
    DENIALS,
  ],
  [
    "AccessDenied",
    403,
    `${CALLER} sts:AssumeRole on resource: ${ROLE} with an explicit deny`,
    "explicit-deny",
    ["a policy of the role my-lambda-role", "the trust policy"],
    "https://repost.aws/knowledge-center/iam-explicit-deny-errors",
  ],
  [
    "AccessDenied",
    403,
    `${CALLER} sts:TagSession on resource: ${ROLE}`,
    "tag-session-denied",
    ["CROSS_ACCOUNT_SECRETS_SESSION_TAGS", "sts:TagSession on both sides"],
    `${GITHUB}DataDog/stratus-red-team/issues/462`,
  ],
  [
    "AccessDenied",
    403,
    `${CALLER} sts:SetSourceIdentity on resource: ${ROLE}`,
    "source-identity-denied",
    ["CROSS_ACCOUNT_SECRETS_SOURCE_IDENTITY", "sts:SetSourceIdentity on both sides"],
    `${GITHUB}noqdev/iambic/issues/357`,
  ],
  [
    "RegionDisabledException",
    403,
    "STS is not activated in this region for account:111111111111. Your account administrator can activate STS in this region using the IAM Console.",
    "region-disabled",
    ["enable the region eu-west-1 for STS"],
    `${GITHUB}turbot/steampipe-plugin-aws/issues/1510`,
  ],
  [
    "ValidationError",
    400,
    "Request ARN is invalid",
    "assume-role-rejected",
    ["CROSS_ACCOUNT_SECRETS_ROLE_ARN"],
    `${GITHUB}physera/onelogin-aws-cli/issues/12`,
    /external ID|tags/,
  ],
  [
    "ValidationError",
    400,
    "arn:a:::something/test-role is invalid",
    "assume-role-rejected",
    ["CROSS_ACCOUNT_SECRETS_ROLE_ARN"],
    STS_SNAPSHOT,
    /external ID|tags/,
  ],
  [
    "ValidationError",
    400,
    "1 validation error detected: Value '' at 'roleArn' failed to satisfy constraint: Member must have length greater than or equal to 20",
    "assume-role-rejected",
    ["CROSS_ACCOUNT_SECRETS_ROLE_ARN"],
    `${GITHUB}mmmorris1975/aws-runas/issues/80`,
  ],
  [
    "ValidationError",
    400,
    "1 validation error detected: Value '%20' at 'externalId' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@:\\/-]*",
    "assume-role-rejected",
    ["CROSS_ACCOUNT_SECRETS_EXTERNAL_ID"],
    `${GITHUB}aws/aws-cli/issues/4745`,
    /tags/,
  ],
  [
    "ValidationError",
    400,
    "1 validation error detected: Value 'PowerUser/hjacobs' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*",
    "assume-role-rejected",
    ["CROSS_ACCOUNT_SECRETS_ROLE_SESSION_NAME"],
    `${GITHUB}zalando-stups/aws-credentials-service/issues/7`,
  ],
  [
    "ValidationError",
    400,
    "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
    "assume-role-rejected",
    ["CROSS_ACCOUNT_SECRETS_DURATION_SECONDS", "3600"],
    `${GITHUB}prowler-cloud/prowler/issues/7721`,
  ],
  [
    "ValidationError",
    400,
    "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    "assume-role-rejected",
    ["CROSS_ACCOUNT_SECRETS_DURATION_SECONDS", "maximum session duration"],
    `${GITHUB}99designs/aws-vault/pull/240`,
  ],
  [
    "InvalidParameterValue",
    400,
    "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
    "assume-role-rejected",
    ["CROSS_ACCOUNT_SECRETS_SESSION_TAGS"],
    STS_SNAPSHOT,
    /external ID/,
  ],
  [
    "InvalidParameterValue",
    400,
    "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
    "assume-role-rejected",
    ["CROSS_ACCOUNT_SECRETS_SESSION_TAGS", "the caller's own session"],
    STS_SNAPSHOT,
  ],
  [
    "PackedPolicyTooLarge",
    400,
    "Packed size of session tags consumes 142% of allotted space.",
    "assume-role-rejected",
    ["CROSS_ACCOUNT_SECRETS_SESSION_TAGS"],
    `${GITHUB}aws-actions/configure-aws-credentials/issues/1803`,
    /external ID/,
  ],
  [
    "PackedPolicyTooLargeException",
    400,
    "Packed policy consumes 118% of allotted space, please use smaller policy.",
    "assume-role-rejected",
    ["CROSS_ACCOUNT_SECRETS_SESSION_POLICY", "CROSS_ACCOUNT_SECRETS_SESSION_TAGS"],
    `${GITHUB}apache/polaris/issues/3243`,
    /external ID/,
  ],
  [
    "MalformedPolicyDocument",
    400,
    "Unexpected character ('i' (code 105)): expected a valid value (number, String, array, object, 'true', 'false' or 'null')\n at [Source: java.io.StringReader@52b5743d; line: 1, column: 2]",
    "assume-role-rejected",
    ["CROSS_ACCOUNT_SECRETS_SESSION_POLICY"],
    `${GITHUB}ansible-collections/amazon.aws/pull/2778`,
    /external ID/,
  ],
];

const getSecretValue: readonly Row[] = [
  [
    "InvalidSignatureException",
    400,
    "Credential should be scoped to a valid region. ",
    "endpoint-mismatch",
    ["CROSS_ACCOUNT_SECRETS_REGION", "AWS_ENDPOINT_URL_SECRETS_MANAGER"],
    `${GITHUB}minio/kes/pull/303`,
    SECRET_KEY,
  ],
  [
    "InvalidSignatureException",
    400,
    "Signature expired: 20250909T143453Z is now earlier than 20250909T143751Z (20250909T144251Z - 5 min.)",
    "clock-skewed",
    ["set the clock"],
    `${GITHUB}boto/botocore/issues/3587`,
  ],
  [
    "UnrecognizedClientException",
    400,
    "The security token included in the request is invalid.",
    "credentials-invalid",
    ["the session of", "the region eu-west-1 is not enabled"],
    `${GITHUB}awslabs/landing-zone-accelerator-on-aws/issues/269`,
  ],
  [
    "ExpiredTokenException",
    400,
    "The security token included in the request is expired",
    "credentials-expired",
    ["renews the session by itself"],
    `${GITHUB}boto/boto3/issues/1127`,
  ],
  [
    "ThrottlingException",
    400,
    "Rate exceeded",
    "throttled",
    ["TTL", "quota"],
    `${GITHUB}external-secrets/kubernetes-external-secrets/issues/491`,
  ],
  [
    "AccessDeniedException",
    400,
    `${READER} secretsmanager:GetSecretValue on resource: app/db because no identity-based policy allows the secretsmanager:GetSecretValue action`,
    "get-secret-value-denied",
    ["must be allowed secretsmanager:GetSecretValue", "-??????", "nothing with that name"],
    `${GITHUB}mongodb/awscdk-resources-mongodbatlas/issues/207`,
  ],
  [
    "AccessDeniedException",
    400,
    `${READER} secretsmanager:GetSecretValue on resource: ${SECRET} because no resource-based policy allows the secretsmanager:GetSecretValue action`,
    "get-secret-value-denied",
    ["the resource policy of app/db"],
    `${GITHUB}hashicorp/terraform-provider-aws/issues/35549`,
  ],
  [
    "AccessDeniedException",
    400,
    `${READER} secretsmanager:GetSecretValue because no permissions boundary allows the secretsmanager:GetSecretValue action`,
    "get-secret-value-denied",
    ["the permissions boundary"],
    `${GITHUB}Kralizek/AWSSecretsManagerConfigurationExtensions/issues/76`,
  ],
  [
    "AccessDeniedException",
    400,
    `${READER} secretsmanager:GetSecretValue on resource: ${SECRET} because no session policy allows the secretsmanager:GetSecretValue action`,
    "get-secret-value-denied",
    ["CROSS_ACCOUNT_SECRETS_SECRET_IDS", "nothing with that name"],
    DENIALS,
  ],
  [
    "AccessDeniedException",
    400,
    `${READER} secretsmanager:GetSecretValue on resource: ${SECRET} because no VPC endpoint policy allows the secretsmanager:GetSecretValue action`,
    "get-secret-value-denied",
    ["the policy of the VPC endpoint"],
    DENIALS,
  ],
  [
    "AccessDeniedException",
    400,
    `${READER} secretsmanager:GetSecretValue on resource: my-example-secret with an explicit deny in a resource-based policy`,
    "explicit-deny",
    ["the resource policy of app/db"],
    `${GITHUB}cloud-custodian/cloud-custodian/pull/10055`,
  ],
  [
    "ResourceNotFoundException",
    400,
    "Secrets Manager can't find the specified secret.",
    "secret-not-found",
    ["check the name", "eu-west-1", "account"],
    SECRETS_SNAPSHOT,
  ],
  [
    "ResourceNotFoundException",
    400,
    "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT",
    "secret-version-not-found",
    ["app/db exists", "put-secret-value"],
    SECRETS_SNAPSHOT,
  ],
  [
    "ResourceNotFoundException",
    400,
    "Secrets Manager can't find the specified secret value for VersionId: 5767290c-d089-49ed-b97c-17086f8c9d79",
    "secret-version-not-found",
    ["app/db exists"],
    SECRETS_SNAPSHOT,
  ],
  [
    "InvalidRequestException",
    400,
    "You provided a VersionStage that is not associated to the provided VersionId.",
    "secret-version-not-found",
    ["versionId", "versionStage", "list-secret-version-ids"],
    SECRETS_SNAPSHOT,
    /restore-secret|put-secret-value/,
  ],
  [
    "InvalidRequestException",
    400,
    "You can't perform this operation on the secret because it was marked for deletion.",
    "secret-deleted",
    ["restore-secret"],
    SECRETS_SNAPSHOT,
  ],
  [
    "InvalidRequestException",
    400,
    "You tried to perform the operation on a secret that's currently marked deleted.",
    "secret-deleted",
    ["restore-secret"],
    `${GITHUB}getmoto/moto/blob/master/moto/secretsmanager/models.py`,
  ],
  [
    "InvalidRequestException",
    400,
    "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.",
    "kms-default-key",
    ["aws/secretsmanager", "customer-managed"],
    CROSS_ACCOUNT_KEY,
    /restore-secret/,
  ],
  [
    "ValidationException",
    400,
    "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
    "secret-id-rejected",
    ["check the secret's id"],
    `${GITHUB}aws/aws-cli/issues/6053`,
  ],
  [
    "AccessDeniedException",
    400,
    "Access to KMS is not allowed",
    "kms-denied",
    ["the policy of the KMS key", "kms:Decrypt", "no such key in eu-west-1"],
    `${GITHUB}external-secrets/kubernetes-external-secrets/issues/838`,
  ],
  [
    "AccessDeniedException",
    400,
    "Access to KMS is not allowed. This version of secret is not encrypted with the current KMS key.",
    "kms-denied",
    ["an older key", "put-secret-value", "kms:Decrypt"],
    CROSS_ACCOUNT_KEY,
  ],
  [
    "DecryptionFailure",
    400,
    `Secrets Manager can't decrypt the secret value: ${KEY} is disabled. ${toKmsSource("DisabledException")}`,
    "kms-key-unusable",
    ["aws kms enable-key"],
    "https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/govcloud-account-root-user.html",
    /cancel-key-deletion|import/,
  ],
  [
    "DecryptionFailure",
    400,
    `Secrets Manager can't decrypt the secret value: ${KEY} is pending import. ${toKmsSource("KMSInvalidStateException")}`,
    "kms-key-unusable",
    ["aws kms import-key-material"],
    KMS_SNAPSHOT,
    /enable-key|key policy|policy of the KMS key/,
  ],
  [
    "DecryptionFailure",
    400,
    `Secrets Manager can't decrypt the secret value: Key '${KEY}' does not exist ${toKmsSource("NotFoundException")}`,
    "kms-key-not-found",
    ["was deleted", "another region", "update-secret"],
    KMS_SNAPSHOT,
    /enable-key|policy of the KMS key/,
  ],
  [
    "DecryptionFailure",
    400,
    `Secrets Manager can't decrypt the secret value: ${KEY} is unavailable. ${toKmsSource("KMSInvalidStateException")}`,
    "kms-key-unusable",
    ["custom key store", "aws kms describe-key"],
    "https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html",
    /enable-key/,
  ],
  [
    "DecryptionFailure",
    400,
    `Secrets Manager can't decrypt the secret value: You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls. ${toKmsSource("ThrottlingException")}`,
    "throttled",
    ["KMS", "quota"],
    `${GITHUB}aws/aws-dynamodb-encryption-java/issues/6`,
    /policy/,
  ],
];

const getParameter: readonly Row[] = [
  [
    "InvalidSignatureException",
    400,
    "Credential should be scoped to a valid region. ",
    "endpoint-mismatch",
    ["CROSS_ACCOUNT_SECRETS_REGION", "AWS_ENDPOINT_URL_SSM"],
    `${GITHUB}aws/aws-sdk-js/issues/4545`,
    SECRET_KEY,
  ],
  ["ThrottlingException", 400, "Rate exceeded", "throttled", ["TTL", "quota"], `${GITHUB}anomalyco/sst/issues/4063`],
  [
    "AccessDeniedException",
    400,
    `${READER} ssm:GetParameter on resource: ${PARAMETER} because no identity-based policy allows the ssm:GetParameter action`,
    "get-parameter-denied",
    ["must be allowed ssm:GetParameter", "one slash"],
    `${GITHUB}aws-solutions/aws-control-tower-customizations/issues/208`,
  ],
  [
    "AccessDeniedException",
    400,
    `${READER} ssm:GetParameter on resource: ${PARAMETER} because no session policy allows the ssm:GetParameter action`,
    "get-parameter-denied",
    ["CROSS_ACCOUNT_SECRETS_PARAMETER_NAMES"],
    `${GITHUB}aws/aws-sdk-js/issues/4303`,
  ],
  ["ParameterNotFound", 400, "", "parameter-not-found", ["name"], `${GITHUB}awslabs/aws-simple-cicd/issues/10`],
  [
    "ParameterVersionNotFound",
    400,
    "Systems Manager could not find version 2 of test-2. Verify the version and try again.",
    "parameter-not-found",
    ["the version or label"],
    `${GITHUB}getmoto/moto/pull/3977`,
  ],
  [
    "ValidationException",
    400,
    'Parameter name: can\'t be prefixed with "ssm" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_',
    "parameter-rejected",
    ["the parameter's name"],
    `${GITHUB}localstack/localstack/issues/7712`,
  ],
  [
    "ValidationException",
    400,
    "WithDecryption flag must be True for retrieving a Secret Manager secret.",
    "parameter-rejected",
    ["withDecryption=true"],
    `${GITHUB}sous-chefs/aws/issues/419`,
  ],
  [
    "AccessDeniedException",
    400,
    `The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access. ${toKmsSource("AccessDeniedException")}`,
    "kms-denied",
    ["kms:Decrypt", "the policy of the KMS key", "no such key in eu-west-1"],
    `${GITHUB}tryolabs/aws-workshop/issues/6`,
  ],
  [
    "AccessDeniedException",
    400,
    `${READER} kms:Decrypt on resource: ${KEY} because no resource-based policy allows the kms:Decrypt action ${toKmsSource("AccessDeniedException")}`,
    "kms-denied",
    ["the policy of the KMS key of /app/flag"],
    `${GITHUB}hashicorp/terraform-provider-aws/issues/42849`,
  ],
  [
    "AccessDeniedException",
    400,
    `${READER} kms:Decrypt on resource: ${KEY} because no identity-based policy allows the kms:Decrypt action`,
    "kms-denied",
    ["a policy of", "the KMS key of /app/flag"],
    DENIALS,
    /the policy of the KMS key/,
  ],
  [
    "InvalidKeyId",
    400,
    `${KEY} is disabled. ${toKmsSource("DisabledException")}`,
    "kms-key-unusable",
    ["aws kms enable-key"],
    `${GITHUB}turbot/steampipe-plugin-aws/blob/main/aws/table_aws_ssm_parameter.go`,
    /cancel-key-deletion/,
  ],
  [
    "InvalidKeyId",
    400,
    `${KEY} is pending deletion. ${toKmsSource("KMSInvalidStateException")}`,
    "kms-key-unusable",
    ["aws kms cancel-key-deletion"],
    `${GITHUB}segmentio/chamber/issues/355`,
    /import/,
  ],
  [
    "InvalidKeyId",
    400,
    `${KEY} is pending import. (Service: Kms, Status Code: 400, Request ID: 5f642215-959a-11e8-bfd1-81a81941d54a)`,
    "kms-key-unusable",
    ["aws kms import-key-material"],
    KMS_SNAPSHOT,
    /enable-key|policy of the KMS key/,
  ],
  [
    "InvalidKeyId",
    400,
    `Key '${KEY}' does not exist ${toKmsSource("NotFoundException")}`,
    "kms-key-not-found",
    ["was deleted", "another region", "put-parameter"],
    `${GITHUB}binxio/aws-ssm-copy/issues/10`,
    /enable-key|policy of the KMS key/,
  ],
  [
    "InvalidKeyId",
    400,
    `Alias arn:aws:kms:us-west-2:111111111111:alias/parameter_store_key is not found. ${toKmsSource("NotFoundException")}`,
    "kms-key-not-found",
    ["was deleted"],
    `${GITHUB}cloudposse/docs/issues/152`,
    /policy of the KMS key/,
  ],
];

const texts = Object.entries({ AssumeRole: assumeRole, GetSecretValue: getSecretValue, GetParameter: getParameter })
  .flatMap(([operation, rows]) => rows.map((row) => [operation as Operation, ...row] as const))
  .map(
    ([operation, awsCode, status, text, cause, tells, seen, not]): AwsText => ({
      ...{ operation, awsCode, status, text, cause, tells, seen },
      ...(not && { not }),
    }),
  );

/** AWS's text may contain anything. */
const CANARY = "CANARY-7b1e";

describe("AWS's text", () => {
  it.each(texts)("$operation $awsCode: $text ($seen) means $cause", (row) => {
    const { operation, awsCode, status, text, cause, tells, not } = row;
    const thrown = Object.assign(new Error(`${text} ${CANARY}`), {
      name: awsCode,
      $fault: "client",
      $metadata: { httpStatusCode: status },
    });
    const failure = diagnose(thrown, AWS_CALLS[operation]);
    expect(failure.code).toBe(cause);
    for (const part of tells) expect(failure.details.remedy).toContain(part);
    if (not !== undefined) expect(failure.details.remedy).not.toMatch(not);
    const told = `${failure.message} ${JSON.stringify(failure.details)}`;
    expect(told).not.toContain(CANARY);
    if (text !== "") expect(told).not.toContain(text);
  });

  it("is listed at least 60 times, each time with the public place where it was seen", () => {
    expect(new Set(texts.map(({ operation, awsCode, text }) => `${operation} ${awsCode} ${text}`)).size).toBe(
      texts.length,
    );
    expect(texts.length).toBeGreaterThanOrEqual(60);
    for (const { seen } of texts) expect(new URL(seen).protocol).toBe("https:");
  });
});
