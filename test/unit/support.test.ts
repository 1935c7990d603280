/** Checks that SUPPORT.md uses the codes, statuses and messages of the replies and the log. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createBaseCredentials } from "../../extension/aws/base-credentials.ts";
import type { AwsCall } from "../../extension/failure/aws-error.ts";
import { diagnose } from "../../extension/failure/diagnosis.ts";
import { type Failure, type FailureCode, failureTable, toFailure } from "../../extension/failure/failure.ts";
import { failureOf } from "../support/failure-of.ts";

const SUPPORT = readFileSync(new URL("../../SUPPORT.md", import.meta.url), "utf8");

const assume: AwsCall = { operation: "AssumeRole", roleArn: "<role>", region: "<region>" };
const read: AwsCall = { ...assume, operation: "GetSecretValue", id: "<secret>" };
const parameter: AwsCall = { ...assume, operation: "GetParameter", id: "<parameter>" };

const refused = (call: AwsCall, name: string, message = "", status = 400) =>
  diagnose({ name, message, $fault: "client", $metadata: { httpStatusCode: status } }, call);

const withoutCredentials = (containerCredentials?: { uri: string; token: undefined; tokenFile: undefined }) =>
  failureOf(
    createBaseCredentials({
      config: { aws: { credentials: undefined, containerCredentials } },
      loadAwsSdk: async () => ({ getContainerCredentials: () => Promise.reject(new Error()) }) as never,
    }).get(),
  ).then(toFailure);

/** A failure for each cause that is not the caller's. */
const failures: Partial<Record<FailureCode, Failure | Promise<Failure>>> = {
  "assume-role-denied": refused(assume, "AccessDenied"),
  "tag-session-denied": refused(assume, "AccessDenied", "not authorized to perform: sts:TagSession on"),
  "source-identity-denied": refused(assume, "AccessDenied", "not authorized to perform: sts:SetSourceIdentity on"),
  "assume-role-rejected": refused(assume, "ValidationError"),
  "region-disabled": refused(assume, "RegionDisabledException"),
  "account-not-active": refused(assume, "OptInRequired"),
  "get-secret-value-denied": refused(read, "AccessDeniedException"),
  "get-parameter-denied": refused(parameter, "AccessDeniedException"),
  "kms-denied": refused(read, "AccessDeniedException", "Access to KMS is not allowed"),
  "kms-key-unusable": refused(read, "AccessDeniedException", "arn:aws:kms:eu-west-1:111111111111:key/k is disabled."),
  "kms-key-not-found": refused(
    parameter,
    "InvalidKeyId",
    "Key 'arn:aws:kms:eu-west-1:111111111111:key/k' does not exist",
  ),
  "kms-default-key": refused(read, "InvalidRequestException", "… with the default KMS service key."),
  "explicit-deny": refused(assume, "AccessDenied", "… with an explicit deny in a service control policy"),
  "secret-not-found": refused(read, "ResourceNotFoundException"),
  "secret-version-not-found": refused(read, "ResourceNotFoundException", "can't find the specified secret value for"),
  "secret-deleted": refused(read, "InvalidRequestException"),
  "secret-id-rejected": refused(read, "InvalidParameterException"),
  "parameter-not-found": refused(parameter, "ParameterNotFound"),
  "parameter-rejected": refused(parameter, "ValidationException"),
  "credentials-missing": withoutCredentials(),
  "credentials-unavailable": withoutCredentials({ uri: "http://127.0.0.1/", token: undefined, tokenFile: undefined }),
  "credentials-expired": refused(assume, "ExpiredToken"),
  "credentials-invalid": refused(assume, "InvalidClientTokenId"),
  "signature-invalid": refused(assume, "SignatureDoesNotMatch"),
  "clock-skewed": refused(assume, "SignatureDoesNotMatch", "Signature expired: 20261125T000000Z is now earlier than"),
  "endpoint-mismatch": refused(assume, "SignatureDoesNotMatch", "Credential should be scoped to a valid region. "),
  throttled: refused(assume, "Throttling"),
  "aws-error": refused(assume, "InternalFailure", "", 500),
  "aws-response-invalid": diagnose({ $metadata: { httpStatusCode: 200 } }, assume),
  unreachable: diagnose({ code: "ENOTFOUND" }, assume),
  timeout: diagnose({ name: "AbortError" }, assume),
  internal: toFailure(new Error()),
};

const rows = [...SUPPORT.matchAll(/^\| `([a-z-]+)` \| (\d{3}) \| (.+?) \| (.+?) \|$/gm)].map(
  ([, cause = "", status, message]) => ({ cause, status: Number(status), message }),
);

describe("SUPPORT.md's table of causes", () => {
  it("has a row for every cause that is not the caller's, and for no other", () => {
    const causes = Object.entries(failureTable).filter(([, { category }]) => category !== "caller");
    expect(rows.map(({ cause }) => cause).sort()).toEqual(causes.map(([cause]) => cause).sort());
  });

  it.each(rows)("$cause has the status and the message of the failure", async ({ cause, status, message }) => {
    const failure = await failures[cause as FailureCode];
    expect(failure?.code).toBe(cause);
    expect(message).toBe(failure?.message);
    expect(status).toBe(failureTable[cause as FailureCode].status);
  });
});

describe("SUPPORT.md", () => {
  it("names every error type with which an init fails", () => {
    const sources = ["extension/lifecycle.ts", "extension/main.ts", "layer/launcher.c"].map((file) =>
      readFileSync(new URL(`../../${file}`, import.meta.url), "utf8"),
    );
    const told = sources.flatMap((text) => text.match(/Extension\.[A-Z]\w+/g) ?? []);
    const named = SUPPORT.match(/^\| `Extension\.\w+`/gm)?.map((cell) => cell.slice(3, -1)) ?? [];
    expect(named.sort()).toEqual([...new Set(told)].sort());
  });
});
