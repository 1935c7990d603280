/** What an error of the SDK, of a socket or of TLS tells, as public facts: codes, a status, an id, and what denial.ts finds. Pure. */
import { type Denial, parseDenial } from "./denial.ts";

/** What Node's sockets, resolver and TLS say: https://nodejs.org/api/errors.html#common-system-errors */
const NETWORK_CODE = /^(E(?!RR_)[A-Z_]{3,30}|ERR_(SSL|TLS|OSSL|SOCKET)_[A-Z0-9_]{1,60})$/;
/** And Node's copy of OpenSSL's: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const CERTIFICATE_CODE =
  /^(((CERT|CRL|DEPTH|SELF_SIGNED|UNABLE_TO|HOSTNAME|INVALID)_[A-Z_]{1,60})|ERR_TLS_CERT_[A-Z_]{1,60})$/;

/** What may be told of an error that is not ours. */
export interface Refusal {
  readonly awsCode: string | undefined;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  readonly networkCode: string | undefined;
  readonly isAboutCertificate: boolean;
  readonly isServerFault: boolean;
  readonly denial: Denial;
  readonly isAbort: boolean;
}

export function parseRefusal(thrown: unknown): Refusal {
  const error = (thrown ?? {}) as {
    name?: unknown;
    message?: unknown;
    code?: unknown;
    cause?: { code?: unknown };
    $fault?: unknown;
    $metadata?: { httpStatusCode?: number; requestId?: unknown } | null;
  };
  const { name, message } = error;
  const { httpStatusCode: status, requestId } = error.$metadata ?? {};
  const networkCode = [error.code, error.cause?.code, name].find(
    (code): code is string => typeof code === "string" && (NETWORK_CODE.test(code) || CERTIFICATE_CODE.test(code)),
  );
  // "Unknown" is the SDK's word for an answer without a code, as a proxy gives.
  const isCode = error.$fault !== undefined && typeof name === "string" && /^[A-Za-z]{1,64}$/.test(name);
  return {
    awsCode: isCode && name !== "Unknown" ? name : undefined,
    status,
    requestId: typeof requestId === "string" && /^[\w-]{1,64}$/.test(requestId) ? requestId : undefined,
    networkCode,
    isAboutCertificate: networkCode !== undefined && CERTIFICATE_CODE.test(networkCode),
    isServerFault: error.$fault === "server" || (status ?? 0) >= 500,
    denial: parseDenial(typeof message === "string" ? message : ""),
    isAbort: name === "AbortError" || name === "TimeoutError",
  };
}
