import { findDecryptProblem } from "./keys.ts";
import type { OperationContext } from "./operation.ts";
import type { SecretVersion, StoredSecret } from "./secrets.ts";
import { badRequest, type ErrorAnswer, isErrorAnswer, type OperationAnswer, toErrorAnswer } from "./wire.ts";

/** Secrets Manager: GetSecretValue. */
export async function answerSecretsManager(context: OperationContext): Promise<OperationAnswer> {
  const { operation } = context.request;
  if (operation === "GetSecretValue") return getSecretValue(context);
  // Not verified.
  return toErrorAnswer("secretsmanager", "unknown operation", `Unknown operation: ${operation}`);
}

/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html */
async function getSecretValue(context: OperationContext): Promise<OperationAnswer> {
  const { parameters } = context.request;
  const found = await getSecret(context, {
    secretId: parameters.get("SecretId"),
    versionId: parameters.get("VersionId"),
    versionStage: parameters.get("VersionStage"),
  });
  return isErrorAnswer(found) ? found : { body: toBody(found.secret, found.version) };
}

/** Returns the requested version if the caller may read it. */
export async function getSecret(
  context: OperationContext,
  wanted: { secretId: string | undefined; versionId?: string | undefined; versionStage?: string | undefined },
): Promise<{ readonly secret: StoredSecret; readonly version: SecretVersion } | ErrorAnswer> {
  const { caller, region, secrets, findDenial } = context;
  const { secretId } = wanted;
  // Recorded in localstack's tests/aws/services/secretsmanager/test_secretsmanager.snapshot.json. Not recorded for a missing id.
  if (secretId === undefined || !/^[\w/+=.@!:-]+$/.test(secretId)) {
    const rule = "Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!";
    return badRequest("ValidationException", `Invalid name. ${rule}`);
  }
  // AWS looks for the ARN of another region in this region, and does not find it: https://github.com/newrelic/newrelic-lambda-extension/issues/210
  const { account, partition } = caller.session;
  const owner = /^arn:[^:]*:secretsmanager:[^:]*:(\d{12}):/.exec(secretId)?.[1] ?? account;
  const secret = secrets.findSecret(secretId, owner, region);
  // AWS checks permission before existence: https://github.com/jenkinsci/aws-secrets-manager-credentials-provider-plugin/pull/65
  const missingArn = `arn:${partition}:secretsmanager:${region}:${account}:secret:${secretId}`;
  const denial = await findDenial(caller, {
    action: "secretsmanager:GetSecretValue",
    resource: secret?.arn ?? (secretId.startsWith("arn:") ? secretId : missingArn),
    called: secret?.arn ?? secretId,
    resourcePolicy: secret?.resourcePolicy,
    // Only a request that names a stage has this condition key.
    ...(wanted.versionStage && { context: { "secretsmanager:VersionStage": wanted.versionStage } }),
  });
  if (denial !== undefined) return toErrorAnswer("secretsmanager", "denied", denial);
  if (secret === undefined) {
    return badRequest("ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
  }
  if (secret.markedForDeletion) {
    const message = "You can't perform this operation on the secret because it was marked for deletion.";
    return badRequest("InvalidRequestException", message);
  }
  const version = findVersion(secret, wanted.versionId, wanted.versionStage);
  if (isErrorAnswer(version)) return version;
  if (secret.kmsKey === undefined && owner !== account) {
    // Recorded in localstack's tests/aws/services/secretsmanager/test_secretsmanager.py
    const message =
      "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.";
    return badRequest("InvalidRequestException", message);
  }
  const problem = await findDecryptProblem(context, secret.kmsKey, "secretsmanager");
  if (problem === "denied") {
    // https://github.com/external-secrets/kubernetes-external-secrets/issues/838
    return toErrorAnswer("secretsmanager", "denied", "Access to KMS is not allowed");
  }
  if (problem !== undefined) {
    // https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/govcloud-account-root-user.html, "DecryptionFailure". Recorded
    // for a disabled key. Not verified for a key that is to be deleted.
    return badRequest("DecryptionFailure", `Secrets Manager can't decrypt the secret value: ${problem.message}`);
  }
  return { secret, version };
}

/** The messages are recorded in localstack's snapshot of AWS. The one about a version ID is not verified. */
function findVersion(
  { versions }: StoredSecret,
  versionId: string | undefined,
  versionStage: string | undefined,
): SecretVersion | ErrorAnswer {
  if (versionId !== undefined) {
    const version = versions.find(({ id }) => id === versionId);
    if (version === undefined) return noVersion(`VersionId: ${versionId}`);
    if (versionStage === undefined || version.stages.includes(versionStage)) return version;
    const message = "You provided a VersionStage that is not associated to the provided VersionId.";
    return badRequest("InvalidRequestException", message);
  }
  const stage = versionStage ?? "AWSCURRENT";
  return versions.find(({ stages }) => stages.includes(stage)) ?? noVersion(`staging label: ${stage}`);
}

function noVersion(which: string): ErrorAnswer {
  const message = `Secrets Manager can't find the specified secret value for ${which}`;
  return badRequest("ResourceNotFoundException", message);
}

function toBody(secret: StoredSecret, { id, createdAtMs, stages, value }: SecretVersion): string {
  return JSON.stringify({
    ARN: secret.arn,
    CreatedDate: createdAtMs / 1000,
    Name: secret.name,
    ...("secretString" in value
      ? { SecretString: value.secretString }
      : { SecretBinary: Buffer.from(value.secretBinary).toString("base64") }),
    VersionId: id,
    ...(stages.length > 0 && { VersionStages: stages }),
  });
}
