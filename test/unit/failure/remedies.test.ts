import { describe, expect, it } from "vitest";
import { type AwsCall, parseDenial } from "../../../extension/failure/aws-error.ts";
import type { FailureCode } from "../../../extension/failure/failure.ts";
import { toRemedy } from "../../../extension/failure/remedies.ts";
import { AWS_CALLS } from "../../support/aws-calls.ts";
import { TARGET_ROLE_ARN as ROLE } from "../../support/values.ts";

const remedyOf = (code: FailureCode, operation: AwsCall["operation"], isAboutCertificate = false) =>
  toRemedy(code, AWS_CALLS[operation], { denial: parseDenial(""), isAboutCertificate }).remedy;

describe("a remedy", () => {
  it.each<[AwsCall["operation"], FailureCode, readonly string[]]>([
    ["AssumeRole", "assume-role-denied", ["trust policy", "external ID", "execution role", "sts:AssumeRole", ROLE]],
    [
      "AssumeRole",
      "tag-session-denied",
      ["CROSS_ACCOUNT_SECRETS_SESSION_TAGS", "sts:TagSession", "trust policy", ROLE],
    ],
    [
      "AssumeRole",
      "source-identity-denied",
      ["CROSS_ACCOUNT_SECRETS_SOURCE_IDENTITY", "sts:SetSourceIdentity", "trust policy", ROLE],
    ],
    ["AssumeRole", "assume-role-rejected", ["ARN", "external ID", "session name", "tags", "duration"]],
    ["GetSecretValue", "kms-key-unusable", ["app/db", "aws kms describe-key"]],
    ["GetSecretValue", "kms-key-not-found", ["app/db", "was deleted", "aws secretsmanager update-secret"]],
    ["GetParameter", "kms-key-not-found", ["/app/flag", "was deleted", "aws ssm put-parameter"]],
    ["AssumeRole", "account-not-active", ["the caller's credentials", "signed up"]],
    ["GetParameter", "account-not-active", [ROLE, "signed up"]],
    ["GetCallerIdentity", "endpoint-mismatch", ["eu-west-1", "AWS_REGION", "AWS_ENDPOINT_URL_STS"]],
    ["GetSecretValue", "kms-default-key", ["aws/secretsmanager", "customer-managed", "app/db"]],
    ["GetSecretValue", "secret-version-not-found", ["app/db", "AWSCURRENT", "put-secret-value"]],
    ["AssumeRole", "explicit-deny", ["Deny", "execution role", "trust policy", ROLE]],
    ["AssumeRole", "clock-skewed", ["clock"]],
    ["AssumeRole", "aws-response-invalid", ["AWS_ENDPOINT_URL", "proxy", "DNS"]],
    ["AssumeRole", "region-disabled", ["enable the region eu-west-1", ROLE, "STS"]],
    ["AssumeRole", "credentials-expired", ["function's own credentials", "eu-west-1", "execution environment"]],
    ["AssumeRole", "credentials-invalid", ["function's own credentials", "eu-west-1", "execution environment"]],
    ["AssumeRole", "signature-invalid", ["secret access key"]],
    ["AssumeRole", "throttled", ["TTL", "quota"]],
    [
      "GetSecretValue",
      "get-secret-value-denied",
      [ROLE, "secretsmanager:GetSecretValue", "-??????", "app/db", "eu-west-1"],
    ],
    ["GetSecretValue", "kms-denied", ["kms:Decrypt", "policy of the KMS key", ROLE]],
    ["GetSecretValue", "secret-not-found", ["name", "eu-west-1", "account", ROLE]],
    ["GetSecretValue", "secret-deleted", ["restore-secret"]],
    ["GetSecretValue", "secret-id-rejected", ["id", "version", "stage"]],
    ["GetSecretValue", "credentials-expired", ["session", ROLE, "renews"]],
    ["GetSecretValue", "credentials-invalid", ["session", ROLE, "renews"]],
    ["GetParameter", "get-parameter-denied", [ROLE, "ssm:GetParameter", "one slash", "/app/flag", "eu-west-1"]],
    ["GetParameter", "kms-denied", ["kms:Decrypt", "policy of the KMS key", ROLE]],
    ["GetParameter", "parameter-not-found", ["name", "version", "label", "eu-west-1", ROLE]],
    ["GetParameter", "parameter-rejected", ["name", "version", "label"]],
    ["GetParameter", "credentials-expired", ["session", ROLE, "renews"]],
    ["GetParameter", "throttled", ["quota"]],
  ])("of %s that failed with %s names what to change: %j", (operation, code, parts) => {
    const remedy = remedyOf(code, operation);
    for (const part of parts) expect(remedy).toContain(part);
  });

  it("of a parameter does not mention secrets, and that of a secret does not mention parameters", () => {
    for (const code of ["get-parameter-denied", "parameter-not-found", "parameter-rejected"] as const) {
      expect(remedyOf(code, "GetParameter")).not.toMatch(/the secret\b|secretsmanager/);
    }
    for (const code of [
      "get-secret-value-denied",
      "secret-not-found",
      "secret-deleted",
      "secret-id-rejected",
    ] as const) {
      expect(remedyOf(code, "GetSecretValue")).not.toMatch(/parameter|ssm/);
    }
  });

  it.each(["AssumeRole", "GetSecretValue", "GetParameter"] as const)(
    "of %s that cannot reach AWS names both VPC endpoints",
    (operation) => {
      const service = operation === "GetParameter" ? "ssm" : "secretsmanager";
      for (const code of ["unreachable", "timeout"] as const) {
        expect(remedyOf(code, operation)).toContain(`for sts and ${service} in eu-west-1`);
      }
    },
  );

  it("of an untrusted certificate is about certificates and does not mention a VPC", () => {
    for (const code of ["unreachable", "timeout"] as const) {
      const remedy = remedyOf(code, "GetParameter", true);
      for (const part of ["certificate", "NODE_EXTRA_CA_CERTS", "clock"]) expect(remedy).toContain(part);
      expect(remedy).not.toMatch(/NAT|VPC/);
    }
  });

  it.each<FailureCode>(["aws-error", "internal", "bad-token", "not-allowed"])("does not exist for %s", (code) => {
    const facts = { denial: parseDenial(""), isAboutCertificate: false };
    expect(toRemedy(code, AWS_CALLS.GetParameter, facts)).toStrictEqual({});
  });
});
