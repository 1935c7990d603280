/**
 * How the three services speak: what they call a refusal, and the bytes they send.
 *
 * Recorded answers of AWS that these shapes follow:
 * STS, headers and body: https://github.com/aws-azure-login/aws-azure-login/issues/251 and https://github.com/jlevers/selling-partner-api/issues/278
 * Secrets Manager, its own errors: localstack's recordings of AWS, tests/aws/services/secretsmanager/test_secretsmanager.snapshot.json
 * Secrets Manager, errors of AWS's common front: https://github.com/aws/aws-sdk-php-laravel/pull/228
 * Systems Manager: links in systems-manager.ts; as Secrets Manager, it speaks JSON 1.1
 */

export type AwsService = "sts" | "secretsmanager" | "ssm";

/** An answer other than 200. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** What an operation answers: the body of a 200, or a refusal. */
export type Answer = { readonly body: string } | Refusal;

/** The refusals that all services know, each by its own name. */
export type CommonRefusal =
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
   * How far X-Amz-Date may be from AWS's clock. Not the same everywhere, as AWS's own messages tell: "15 min." of STS in
   * https://github.com/aws/aws-cli/issues/6676, "5 min." of Secrets Manager in https://github.com/boto/botocore/issues/3587
   */
  readonly clockToleranceMinutes: number;
  readonly names: Readonly<Record<CommonRefusal, readonly [code: string, status: number]>>;
  toBody(refusal: Refusal, requestId: string): string;
}

// Not verified for either: the codes of a missing or an incomplete signature, and that all of these say `message`.
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
      // `Receiver` of a 5xx is the query protocol's word for "our fault"; not verified for STS.
      const error = toXml({ Type: status < 500 ? "Sender" : "Receiver", Code: code, Message: message }, "    ");
      return toDocument("ErrorResponse", `  <Error>\n${error}  </Error>\n  <RequestId>${requestId}</RequestId>\n`);
    },
  },
  secretsmanager: {
    contentType: "application/x-amz-json-1.1",
    clockToleranceMinutes: 5,
    names: JSON_NAMES,
    toBody({ code, message }) {
      // AWS's common front says `message`, Secrets Manager itself `Message`. Which of them a denial says is not verified.
      const ofTheFront = Object.entries(JSON_NAMES).some(([cause, [name]]) => cause !== "denied" && name === code);
      return JSON.stringify({ __type: code, [ofTheFront ? "message" : "Message"]: message });
    },
  },
  ssm: {
    contentType: "application/x-amz-json-1.1",
    // Not verified.
    clockToleranceMinutes: 5,
    names: JSON_NAMES,
    // Its errors have a member `message` in AWS's model, and some have no text. Which of them a denial says is not verified.
    toBody: ({ code, message }) => JSON.stringify({ __type: code, ...(message !== "" && { message }) }),
  },
};

/** A refusal that all services know, in the words of this one. */
export function refuse(service: AwsService, cause: CommonRefusal, message: string): Refusal {
  const [code, status] = WIRES[service].names[cause];
  return { status, code, message };
}

/** `value` is a refusal, and not what was asked for. */
export function isRefusal(value: object): value is Refusal {
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

/** Elements by name; one that is undefined is left out. */
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
