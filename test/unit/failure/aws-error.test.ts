import { describe, expect, it } from "vitest";
import { parseAwsError, parseDenial, policyTypes } from "../../../extension/failure/aws-error.ts";
import { TARGET_ROLE_ARN as ROLE } from "../../support/values.ts";

describe("a thrown value", () => {
  it.each([undefined, null, "text", 7, {}])("gives no facts if it is %j", (thrown) => {
    const { denial, ...parts } = parseAwsError(thrown);
    expect(parts).toEqual({
      awsCode: undefined,
      status: undefined,
      requestId: undefined,
      networkCode: undefined,
      isAboutCertificate: false,
      isServerFault: false,
      isAbort: false,
    });
    expect(denial.action).toBeUndefined();
  });

  it("gives no text from fields that are no texts, even if JavaScript would make texts of them", () => {
    const texts = { name: ["AccessDenied"], code: ["ECONNRESET"], message: ["Access to KMS is not allowed"] };
    const facts = parseAwsError({ ...texts, $fault: "client", $metadata: { requestId: ["r-1"] } });
    expect(facts).toEqual(parseAwsError(undefined));
  });

  it("gives AWS's code, status and request ID if it is an error of AWS", () => {
    const thrown = { name: "AccessDenied", $fault: "client", $metadata: { httpStatusCode: 403, requestId: "r-1" } };
    expect(parseAwsError(thrown)).toMatchObject({ awsCode: "AccessDenied", status: 403, requestId: "r-1" });
  });

  it("is about a certificate if TLS threw it, and not if a socket did", () => {
    expect(parseAwsError({ code: "ECONNRESET" }).isAboutCertificate).toBe(false);
    expect(parseAwsError({ cause: { code: "CERT_HAS_EXPIRED" } }).isAboutCertificate).toBe(true);
  });
});

const SESSION = "arn:aws:sts::222222222222:assumed-role/my-lambda-role/my-function-8a1f0e6c";
const toText = (reason = "", caller = SESSION, action = "sts:AssumeRole") =>
  `User: ${caller} is not authorized to perform: ${action} on resource: ${ROLE}${reason}`;

describe("the text of a denial", () => {
  it("names the role of a session, without the role's path", () => {
    const name = "my-lambda-role";
    const caller = { partition: "aws", accountId: "222222222222", type: "role", name, path: undefined };
    expect(parseDenial(toText()).caller).toEqual(caller);
    expect(parseDenial(`User: ${SESSION}`).caller).toEqual(caller);
    expect(parseDenial(toText("", SESSION.replace("arn:aws:", "arn:aws-us-gov:"))).caller).toEqual({
      ...caller,
      partition: "aws-us-gov",
    });
  });

  it.each([
    ["alice", "/", "alice"],
    ["ops/eu/alice", "/ops/eu/", "alice"],
  ])("names a user with its path: %s", (user, path, name) => {
    const { caller } = parseDenial(toText("", `arn:aws:iam::222222222222:user/${user}`));
    expect(caller).toEqual({ partition: "aws", accountId: "222222222222", type: "user", name, path });
  });

  it.each(["arn:aws:sts::222222222222:federated-user/bob", "arn:aws:iam::222222222222:root", "anonymous"])(
    "gives no caller of another type: %s",
    (caller) => {
      expect(parseDenial(toText("", caller)).caller).toBeUndefined();
    },
  );

  it.each([
    "sts:AssumeRole",
    "sts:TagSession",
    "sts:SetSourceIdentity",
    "secretsmanager:GetSecretValue",
    "kms:Decrypt",
  ])("names the action %s", (action) => {
    expect(parseDenial(toText("", SESSION, action)).action).toBe(action);
  });

  it.each(policyTypes)("says that no %s allows it, or that one denies it", (policyType) => {
    const action = "sts:AssumeRole";
    expect(parseDenial(toText(` because no ${policyType} allows the ${action} action`))).toMatchObject({
      policyType,
      isExplicit: false,
    });
    const article = policyType === "role trust policy" ? "the" : /^[aeiou]/.test(policyType) ? "an" : "a";
    expect(parseDenial(toText(` with an explicit deny in ${article} ${policyType}`))).toMatchObject({
      policyType,
      isExplicit: true,
    });
  });

  it("may leave out which policy does not allow it, across accounts, and which policy denies it", () => {
    expect(parseDenial(toText())).toMatchObject({ policyType: undefined, isExplicit: false });
    expect(parseDenial(toText(" with an explicit deny"))).toMatchObject({ policyType: undefined, isExplicit: true });
  });

  it("gives no facts if it is empty", () => {
    const none = { caller: undefined, action: undefined, policyType: undefined, topic: undefined };
    expect(parseDenial("")).toEqual({ ...none, isExplicit: false });
  });
});
