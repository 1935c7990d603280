/** Turns the results of `npm run publish:layer` into text and an exit code. Pure. */
import type { ManifestEntry } from "../build/layers.ts";

/** The result for one layer in one region. */
export interface PublishResult {
  readonly region: string;
  /** The layer's name at Lambda. */
  readonly layer: string;
  readonly state: "planned" | "published" | "existing" | "failed";
  readonly layerVersionArn?: string;
  /** The organization whose accounts may use this layer version. */
  readonly organizationId?: string;
  /** Why the layer version is missing or not granted. */
  readonly failure?: string;
}

/** The description of a layer version. Lambda takes at most 256 characters. */
export function toDescription({ nodeVersion, version }: ManifestEntry): string {
  const node = nodeVersion === null ? "on the runtime's own Node.js" : `with Node.js ${nodeVersion}`;
  return `cross-account-secrets ${version}, ${node}: reads secrets of another account and serves them on 127.0.0.1`;
}

/** The text for stdout. */
export function toJsonReport(version: string, results: readonly PublishResult[]): string {
  const layerVersions = results.filter(({ state }) => state !== "failed").map(({ failure: _, ...rest }) => rest);
  const failures = results.flatMap(({ region, layer, failure }) => (failure ? [{ region, layer, failure }] : []));
  return JSON.stringify({ version, layerVersions, failures }, null, 2);
}

/** One line of progress, for a person. */
export function toProgressLine(result: PublishResult): string {
  const { region, layer, state, layerVersionArn, organizationId, failure } = result;
  const grant = organizationId === undefined ? [] : [`for ${organizationId}`];
  const rest = [...(layerVersionArn ? [layerVersionArn] : []), ...grant, ...(failure ? [failure] : [])].join(", ");
  return `${region.padEnd(15)} ${layer.padEnd(29)} ${state.padEnd(10)} ${rest}`.trimEnd();
}

/** The table for CHANGELOG.md. */
export function toChangelogTable(version: string, results: readonly PublishResult[]): string {
  const rows = results.flatMap(({ region, layerVersionArn: arn }) => (arn ? [`| ${region} | \`${arn}\` |`] : []));
  return [`Layer versions of ${version}:`, "", "| region | layer version |", "|---|---|", ...rows].join("\n");
}

/** Says which regions are done, and which are not. */
export function toRegionSummary(results: readonly PublishResult[]): string {
  const regions = [...new Set(results.map(({ region }) => region))];
  const lacking = regions.filter((region) => results.some((result) => result.region === region && result.failure));
  const done = regions.filter((region) => !lacking.includes(region)).join(", ") || "none";
  return lacking.length === 0
    ? `done: ${done}`
    : `done: ${done}; not done: ${lacking.join(", ")}; run it again for the rest`;
}

export function toPublishExitCode(results: readonly PublishResult[]): 0 | 1 | 3 {
  if (results.every(({ failure }) => failure === undefined)) return 0;
  return results.some(({ state }) => state !== "failed") ? 3 : 1;
}

/** Errors of the SDK: it finds no credentials, or only those of an ended session. */
const NO_CREDENTIALS = ["CredentialsProviderError", "TokenProviderError"];
/** Errors of AWS. https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html */
const REFUSED_CREDENTIALS = [
  "ExpiredTokenException",
  "ExpiredToken",
  "UnrecognizedClientException",
  "InvalidClientTokenId",
  "InvalidSignatureException",
  "SignatureDoesNotMatch",
];

/** Whether every other call would fail in the same way. */
export const isCredentialsError = (error: unknown): boolean =>
  [...NO_CREDENTIALS, ...REFUSED_CREDENTIALS].includes(toText(error, "name"));

/** One line that names the error, and the remedy if it is known. */
export function toFailureText(error: unknown, region: string): string {
  const name = toText(error, "name") || "Error";
  const code = toText(error, "code");
  const message = (toText(error, "message") || code || String(error)).replace(/\s+/g, " ").trim();
  if (NO_CREDENTIALS.includes(name)) {
    return `no AWS credentials: ${message}; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`;
  }
  if (REFUSED_CREDENTIALS.includes(name)) {
    return `Lambda in ${region} does not accept the credentials: they are wrong or expired, or the account has not enabled the region (${name})`;
  }
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    const host = toText(error, "hostname") || `the host of Lambda in ${region}`;
    return `${host} has no address: there is no region ${region}, or this machine has no network (${code})`;
  }
  if (/^E[A-Z]+$/.test(code) || name === "TimeoutError") {
    return `Lambda in ${region} cannot be reached: ${message}`;
  }
  return `Lambda in ${region}: ${name}: ${message}`;
}

function toText(error: unknown, property: string): string {
  const value = typeof error === "object" && error !== null ? Reflect.get(error, property) : undefined;
  return typeof value === "string" ? value : "";
}
