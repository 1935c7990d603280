import { describe, expect, it } from "vitest";
import { parseAwsError } from "../../../extension/failure/aws-error.ts";

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

  it("gives AWS's code, status and request ID if it is an error of AWS", () => {
    const thrown = { name: "AccessDenied", $fault: "client", $metadata: { httpStatusCode: 403, requestId: "r-1" } };
    expect(parseAwsError(thrown)).toMatchObject({ awsCode: "AccessDenied", status: 403, requestId: "r-1" });
  });

  it("is about a certificate if TLS threw it, and not if a socket did", () => {
    expect(parseAwsError({ code: "ECONNRESET" }).isAboutCertificate).toBe(false);
    expect(parseAwsError({ cause: { code: "CERT_HAS_EXPIRED" } }).isAboutCertificate).toBe(true);
  });
});
