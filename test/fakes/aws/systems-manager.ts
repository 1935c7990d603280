/**
 * Systems Manager: GetParameter. It follows these recorded answers of AWS:
 * a parameter by its name and ARN: localstack's tests/aws/services/ssm/test_ssm.snapshot.json
 * versions, labels, ciphertext, and secrets by reference: fedonev/lambda-params-secrets, data/test-responses.json
 * no such parameter, without a text: https://github.com/awslabs/aws-simple-cicd/issues/10
 * no such version: https://github.com/getmoto/moto/pull/3977
 */
import { findDecryptProblem } from "./keys.ts";
import type { OperationContext } from "./operation.ts";
import { toParameterArn } from "./parameters.ts";
import { getSecret } from "./secrets-manager.ts";
import { badRequest, isErrorAnswer, type OperationAnswer, toErrorAnswer } from "./wire.ts";

export async function answerSystemsManager(context: OperationContext): Promise<OperationAnswer> {
  const { operation } = context.request;
  if (operation === "GetParameter") return getParameter(context);
  // Not verified.
  return toErrorAnswer("ssm", "unknown operation", `Unknown operation: ${operation}`);
}

/** The name or ARN, then the selector with its colon. */
const NAME = /^(arn:[^:]*:ssm:[^:]*:\d{12}:parameter\/[^:]+|[^:]+)(:[^:]+)?$/;
const REFERENCE = /^\/aws\/reference\/secretsmanager\/(.+)$/;

/** https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html */
async function getParameter(context: OperationContext): Promise<OperationAnswer> {
  const { caller, request, region, requestId, parameters, findDenial } = context;
  const [, name = "", selector] = NAME.exec(request.parameters.get("Name") ?? "") ?? [];
  if (!/^[\w./:-]+$/.test(name)) {
    // Not verified: the words.
    return badRequest("ValidationException", "Invalid parameter name. Only a-zA-Z0-9_.-/ are allowed.");
  }
  const place = `arn:${caller.session.partition}:ssm:${region}:${caller.session.account}`;
  const arn = name.startsWith("arn:") ? name : toParameterArn(place, name);
  const [, secretId] = REFERENCE.exec(name) ?? [];
  // AWS looks for the ARN of another region in this region, and does not find it. Not verified.
  const found = arn.startsWith(`${place}:`) ? parameters.findParameter(arn) : undefined;
  const parameter = name.startsWith("arn:") || found?.name === name ? found : undefined;
  // AWS checks permission before existence. It does not repeat an unknown name, so a wrong name looks like this:
  // https://github.com/aws-solutions/aws-control-tower-customizations/issues/208
  const called = parameter === undefined && secretId === undefined ? `${place}:*` : arn;
  const denial = await findDenial(caller, { action: "ssm:GetParameter", resource: arn, called });
  if (denial !== undefined) return toErrorAnswer("ssm", "denied", denial);

  const withDecryption = request.parameters.get("WithDecryption") === "true";
  if (secretId !== undefined) return getReferenced(context, { name, secretId, selector, withDecryption });
  if (parameter === undefined) return badRequest("ParameterNotFound", "");
  const { versions } = parameter;
  const wanted = selector?.slice(1);
  const version = versions.findLast(
    ({ version, labels }) => wanted === undefined || wanted === String(version) || labels.includes(wanted),
  );
  if (version === undefined) {
    // Recorded for a version number. Not verified for a label.
    const message = `Systems Manager could not find version ${wanted} of ${parameter.name}. Verify the version and try again.`;
    return badRequest("ParameterVersionNotFound", message);
  }
  const isCiphertext = parameter.type === "SecureString" && !withDecryption;
  const isDecrypted = parameter.type === "SecureString" && withDecryption;
  const problem = isDecrypted ? await findDecryptProblem(context, parameter.kmsKey, "ssm") : undefined;
  if (problem === "denied") {
    // https://github.com/tryolabs/aws-workshop/issues/6
    return toErrorAnswer(
      "ssm",
      "denied",
      `The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access. (Service: AWSKMS; Status Code: 400; Error Code: AccessDeniedException; Request ID: ${requestId})`,
    );
  }
  // A disabled key: turbot/steampipe-plugin-aws, aws/table_aws_ssm_parameter.go. A key to be deleted, from PutParameter:
  // https://github.com/segmentio/chamber/issues/355
  if (problem !== undefined) return badRequest("InvalidKeyId", problem.message);
  return toAnswer({
    ARN: parameter.arn,
    DataType: "text",
    LastModifiedDate: version.modifiedAtMs / 1000,
    Name: parameter.name,
    Selector: selector,
    Type: parameter.type,
    Value: isCiphertext ? version.ciphertext : version.value,
    Version: version.version,
  });
}

/** A secret as a parameter: https://docs.aws.amazon.com/systems-manager/latest/userguide/integration-ps-secretsmanager.html */
async function getReferenced(
  context: OperationContext,
  wanted: { name: string; secretId: string; selector: string | undefined; withDecryption: boolean },
): Promise<OperationAnswer> {
  const { name, secretId, selector, withDecryption } = wanted;
  if (!withDecryption) {
    // https://github.com/sous-chefs/aws/issues/419
    const message = "WithDecryption flag must be True for retrieving a Secret Manager secret.";
    return badRequest("ValidationException", message);
  }
  const label = selector?.slice(1);
  const isVersionId = label !== undefined && /^[0-9a-f-]{36}$/.test(label);
  const found = await getSecret(context, {
    secretId,
    ...(isVersionId ? { versionId: label } : { versionStage: label }),
  });
  if (isErrorAnswer(found)) {
    // Not verified: how Systems Manager answers Secrets Manager's errors. Only `ParameterNotFound` is known from users.
    return found.code === "ResourceNotFoundException" ? badRequest("ParameterNotFound", "") : found;
  }
  const { secret, version } = found;
  const { value } = version;
  const createdDate = new Date(version.createdAtMs).toLocaleString("en-US", {
    ...({ dateStyle: "medium", timeStyle: "medium", timeZone: "UTC" } as const),
  });
  return toAnswer({
    ARN: secret.arn,
    LastModifiedDate: version.createdAtMs / 1000,
    Name: name,
    Selector: selector,
    SourceResult: JSON.stringify({
      ARN: secret.arn,
      name: secret.name,
      versionId: version.id,
      ...("secretString" in value
        ? { secretString: value.secretString }
        : { secretBinary: toByteBuffer(value.secretBinary) }),
      versionStages: version.stages,
      createdDate: createdDate.replaceAll("\u202f", " "),
    }),
    Type: "SecureString",
    ...("secretString" in value && { Value: value.secretString }),
    Version: 0,
  });
}

/** A `HeapByteBuffer` as Java's serializer writes it. */
function toByteBuffer(bytes: Uint8Array): object {
  const [limit, capacity] = [bytes.length, bytes.length];
  const order = { bigEndian: true, nativeByteOrder: false };
  return {
    hb: [...bytes],
    offset: 0,
    isReadOnly: false,
    ...order,
    mark: -1,
    position: 0,
    limit,
    capacity,
    address: 16,
  };
}

/** Fields that are undefined are left out. */
function toAnswer(parameter: Readonly<Record<string, string | number | undefined>>): OperationAnswer {
  return { body: JSON.stringify({ Parameter: parameter }) };
}
