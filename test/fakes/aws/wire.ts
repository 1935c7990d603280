/**
 * The formats of the three services: the names of their errors, and the bytes that they send.
 *
 * Recorded answers of AWS that these shapes follow:
 * STS, headers and body: https://github.com/aws-azure-login/aws-azure-login/issues/251 and https://github.com/jlevers/selling-partner-api/issues/278
 * Secrets Manager, its own errors: localstack's recordings of AWS, tests/aws/services/secretsmanager/test_secretsmanager.snapshot.json
 * Secrets Manager, errors of AWS's common front: https://github.com/aws/aws-sdk-php-laravel/pull/228
 * Systems Manager: links in systems-manager.ts. Like Secrets Manager, it uses JSON 1.1
 */

export type AwsService = "sts" | "secretsmanager" | "ssm";

/** An answer other than 200. */
export interface ErrorAnswer {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** The answer of an operation: the body of a 200, or an error. */
export type OperationAnswer = { readonly body: string } | ErrorAnswer;

/** The causes of errors that all services have. Each service has its own name for them. */
export type CommonErrorCause =
  | "missing authentication"
  | "incomplete signature"
  | "wrong signature"
  | "unknown key"
  | "expired token"
  | "unknown operation"
  | "throttled"
  | "denied";

interface Wire {
  readonly contentType: string;
  /**
   * How far X-Amz-Date may be from AWS's clock. The services differ, as AWS's own messages show: "15 min." of STS in
   * https://github.com/aws/aws-cli/issues/6676, "5 min." of Secrets Manager in https://github.com/boto/botocore/issues/3587
   */
  readonly clockToleranceMinutes: number;
  readonly names: Readonly<Record<CommonErrorCause, readonly [code: string, status: number]>>;
  toBody(error: ErrorAnswer, requestId: string): string;
}

// Not verified for either: the codes of a missing or an incomplete signature, and that all of these errors use `message`.
const JSON_NAMES: Wire["names"] = {
  "missing authentication": ["MissingAuthenticationTokenException", 400],
  "incomplete signature": ["IncompleteSignatureException", 400],
  "wrong signature": ["InvalidSignatureException", 400],
  "unknown key": ["UnrecognizedClientException", 400],
  "expired token": ["ExpiredTokenException", 400],
  "unknown operation": ["UnknownOperationException", 400],
  throttled: ["ThrottlingException", 400],
  denied: ["AccessDeniedException", 400],
};

export const WIRES: Readonly<Record<AwsService, Wire>> = {
  sts: {
    contentType: "text/xml",
    clockToleranceMinutes: 15,
    // Not verified: the status of IncompleteSignature and of InvalidAction.
    names: {
      "missing authentication": ["MissingAuthenticationToken", 403],
      "incomplete signature": ["IncompleteSignature", 400],
      "wrong signature": ["SignatureDoesNotMatch", 403],
      "unknown key": ["InvalidClientTokenId", 403],
      "expired token": ["ExpiredToken", 403],
      "unknown operation": ["InvalidAction", 400],
      throttled: ["Throttling", 400],
      denied: ["AccessDenied", 403],
    },
    toBody({ status, code, message }, requestId) {
      // For a 5xx, `Receiver` is the query protocol's word for "our fault". Not verified for STS.
      const error = toXml({ Type: status < 500 ? "Sender" : "Receiver", Code: code, Message: message }, "    ");
      return toDocument("ErrorResponse", `  <Error>\n${error}  </Error>\n  <RequestId>${requestId}</RequestId>\n`);
    },
  },
  secretsmanager: {
    contentType: "application/x-amz-json-1.1",
    clockToleranceMinutes: 5,
    names: JSON_NAMES,
    toBody({ code, message }) {
      // AWS's common front sends `message`, Secrets Manager itself sends `Message`. Which one a denial has is not verified.
      const isCommonError = Object.entries(JSON_NAMES).some(([cause, [name]]) => cause !== "denied" && name === code);
      return JSON.stringify({ __type: code, [isCommonError ? "message" : "Message"]: message });
    },
  },
  ssm: {
    contentType: "application/x-amz-json-1.1",
    // Not verified.
    clockToleranceMinutes: 5,
    names: JSON_NAMES,
    // Its errors have a member `message` in AWS's model, and some have no text. Whether a denial has one is not verified.
    toBody: ({ code, message }) => JSON.stringify({ __type: code, ...(message !== "" && { message }) }),
  },
};

/** An error that all services have, with the code and the status of this service. */
export function toErrorAnswer(service: AwsService, cause: CommonErrorCause, message: string): ErrorAnswer {
  const [code, status] = WIRES[service].names[cause];
  return { status, code, message };
}

/** An error of this service alone. */
export function badRequest(code: string, message: string): ErrorAnswer {
  return { status: 400, code, message };
}

export function isErrorAnswer(value: object): value is ErrorAnswer {
  return "code" in value && "status" in value;
}

/** The body of a successful answer of STS. */
export function toStsBody(operation: string, result: XmlElements, requestId: string): string {
  return toDocument(
    `${operation}Response`,
    `  <${operation}Result>\n${toXml(result, "    ")}  </${operation}Result>\n` +
      `  <ResponseMetadata>\n    <RequestId>${requestId}</RequestId>\n  </ResponseMetadata>\n`,
  );
}

/** Elements by name. Those that are undefined are left out. */
export interface XmlElements {
  readonly [name: string]: string | number | XmlElements | undefined;
}

function toDocument(root: string, content: string): string {
  return `<${root} xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n${content}</${root}>\n`;
}

function toXml(elements: XmlElements, indent: string): string {
  return Object.entries(elements)
    .map(([name, value]) => {
      if (value === undefined) return "";
      if (typeof value !== "object") return `${indent}<${name}>${escapeXml(String(value))}</${name}>\n`;
      return `${indent}<${name}>\n${toXml(value, `${indent}  `)}${indent}</${name}>\n`;
    })
    .join("");
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
