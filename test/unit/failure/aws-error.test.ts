import { describe, expect, it } from "vitest";
import { parseRefusal } from "../../../extension/failure/aws-error.ts";

describe("what is thrown", () => {
  it.each([undefined, null, "text", 7, {}])("tells nothing where it is %j", (thrown) => {
    const { denial, ...parts } = parseRefusal(thrown);
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

  it("by AWS tells its code, its status and its request id", () => {
    const thrown = { name: "AccessDenied", $fault: "client", $metadata: { httpStatusCode: 403, requestId: "r-1" } };
    expect(parseRefusal(thrown)).toMatchObject({ awsCode: "AccessDenied", status: 403, requestId: "r-1" });
  });

  it("by TLS is told from what a socket throws", () => {
    expect(parseRefusal({ code: "ECONNRESET" }).isAboutCertificate).toBe(false);
    expect(parseRefusal({ cause: { code: "CERT_HAS_EXPIRED" } }).isAboutCertificate).toBe(true);
  });
});
