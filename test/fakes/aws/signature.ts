import { createHash, createHmac, type Hmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";
import type { SourceData } from "@smithy/types";

/** A request as it was received. */
export interface ReceivedRequest {
  readonly method: string;
  /** Path and query, not decoded. */
  readonly target: string;
  /** The values by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** What an `Authorization` header claims. */
export interface Authorization {
  readonly accessKeyId: string;
  /** The day of the credential scope, as `20261123`. */
  readonly day: string;
  readonly region: string;
  readonly service: string;
  /** Lower-case names. */
  readonly signedHeaders: ReadonlySet<string>;
  readonly signature: string;
}

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/,\s]+)\/(\d{8})\/([^/,\s]+)\/([^/,\s]+)\/aws4_request,\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})$/;

/** Returns the header's claims, or undefined if it is not a header of Signature Version 4. */
export function parseAuthorization(header: string): Authorization | undefined {
  const [, accessKeyId, day, region, service, signedHeaders, signature] = AUTHORIZATION.exec(header) ?? [];
  if (!accessKeyId || !day || !region || !service || !signedHeaders || !signature) return undefined;
  return { accessKeyId, day, region, service, signedHeaders: new Set(signedHeaders.split(";")), signature };
}

/** Converts `20261123T201500Z` to milliseconds since 1970. Returns undefined if the text is not such a time. */
export function parseAmzDate(text: string): number | undefined {
  if (!/^\d{8}T\d{6}Z$/.test(text)) return undefined;
  const epochMs = Date.parse(text.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  return Number.isNaN(epochMs) ? undefined : epochMs;
}

/** The reverse of `parseAmzDate`. */
export function toAmzDate(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/[-:]|\.\d{3}/g, "");
}

/** Signs the request again with this key, as AWS does, and compares the signatures. */
export async function isSignedWith(
  secretAccessKey: string,
  request: ReceivedRequest,
  { accessKeyId, day, region, service, signedHeaders, signature }: Authorization,
): Promise<boolean> {
  const signedAtMs = parseAmzDate(request.headers["x-amz-date"] ?? "");
  if (signedAtMs === undefined || !toAmzDate(signedAtMs).startsWith(day)) return false;
  // The signer trusts this header, so the body is compared with it here.
  const claimedHash = request.headers["x-amz-content-sha256"];
  const hash = createHash("sha256").update(request.body).digest("hex");
  if (claimedHash !== undefined && claimedHash !== hash) return false;

  const [path = "/", query = ""] = request.target.split("?", 2);
  const signer = new SignatureV4({
    credentials: { accessKeyId, secretAccessKey },
    region,
    service,
    sha256: Sha256,
    applyChecksum: false,
  });
  const signed = await signer.sign(
    {
      method: request.method,
      protocol: "http:",
      hostname: "127.0.0.1",
      path,
      query: toQueryBag(new URLSearchParams(query)),
      headers: Object.fromEntries(Object.entries(request.headers).filter(([name]) => signedHeaders.has(name))),
      body: request.body,
    },
    // `signableHeaders`: the client may have signed headers that this signer leaves out by default, such as the user agent.
    { signingDate: new Date(signedAtMs), signableHeaders: new Set(signedHeaders) },
  );
  return signed.headers.authorization?.endsWith(`Signature=${signature}`) === true;
}

function toQueryBag(query: URLSearchParams): Record<string, string[]> {
  return Object.fromEntries([...query.keys()].map((name) => [name, query.getAll(name)]));
}

/** The hash that the signer needs. With a key it is an HMAC. */
class Sha256 {
  readonly #hash: Hmac | ReturnType<typeof createHash>;
  constructor(key?: SourceData) {
    this.#hash = key === undefined ? createHash("sha256") : createHmac("sha256", toBytes(key));
  }
  update(data: SourceData): void {
    this.#hash.update(toBytes(data));
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
}

function toBytes(data: SourceData): Uint8Array {
  if (typeof data === "string") return Buffer.from(data);
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}
