/** What `npm run publish:layer` says: outcomes in, text and exit code out. Pure. */
import type { ManifestEntry } from "../build/layers.ts";

/** What became of one layer in one region. */
export interface Outcome {
  readonly region: string;
  /** Its name at Lambda. */
  readonly layer: string;
  readonly state: "planned" | "published" | "existing" | "failed";
  readonly layerVersionArn?: string;
  /** That may use this layer version. */
  readonly organizationId?: string;
  /** Why it is not there, or is there but not granted. */
  readonly failure?: string;
}

/** What an upload tells Lambda beside the bytes; at most 256 characters. */
export function toDescription({ nodeVersion, version }: ManifestEntry): string {
  const node = nodeVersion === null ? "on the runtime's own Node.js" : `with Node.js ${nodeVersion}`;
  return `cross-account-secrets ${version}, ${node}: reads secrets of another account and serves them on 127.0.0.1`;
}

/** For stdout. */
export function toJson(version: string, outcomes: readonly Outcome[]): string {
  const layerVersions = outcomes.filter(({ state }) => state !== "failed").map(({ failure: _, ...rest }) => rest);
  const failures = outcomes.flatMap(({ region, layer, failure }) => (failure ? [{ region, layer, failure }] : []));
  return JSON.stringify({ version, layerVersions, failures }, null, 2);
}

/** For a person, while it goes on. */
export function toLine({ region, layer, state, layerVersionArn, organizationId, failure }: Outcome): string {
  const grant = organizationId === undefined ? [] : [`for ${organizationId}`];
  const rest = [...(layerVersionArn ? [layerVersionArn] : []), ...grant, ...(failure ? [failure] : [])].join(", ");
  return `${region.padEnd(15)} ${layer.padEnd(29)} ${state.padEnd(10)} ${rest}`.trimEnd();
}

/** For CHANGELOG.md. */
export function toMarkdown(version: string, outcomes: readonly Outcome[]): string {
  const rows = outcomes.flatMap(({ region, layerVersionArn: arn }) => (arn ? [`| ${region} | \`${arn}\` |`] : []));
  return [`Layer versions of ${version}:`, "", "| region | layer version |", "|---|---|", ...rows].join("\n");
}

/** Which regions have it all, and which do not. */
export function toSummary(outcomes: readonly Outcome[]): string {
  const regions = [...new Set(outcomes.map(({ region }) => region))];
  const lacking = regions.filter((region) => outcomes.some((outcome) => outcome.region === region && outcome.failure));
  const done = regions.filter((region) => !lacking.includes(region)).join(", ") || "none";
  return lacking.length === 0
    ? `done: ${done}`
    : `done: ${done}; not done: ${lacking.join(", ")}; run it again for the rest`;
}

export function toExitCode(outcomes: readonly Outcome[]): 0 | 1 | 3 {
  if (outcomes.every(({ failure }) => failure === undefined)) return 0;
  return outcomes.some(({ state }) => state !== "failed") ? 3 : 1;
}

/** Of the SDK, when it finds no credentials, or finds those of a session that is over. */
const NO_CREDENTIALS = ["CredentialsProviderError", "TokenProviderError"];
/** Of AWS. https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html */
const REFUSED_CREDENTIALS = [
  "ExpiredTokenException",
  "ExpiredToken",
  "UnrecognizedClientException",
  "InvalidClientTokenId",
  "InvalidSignatureException",
  "SignatureDoesNotMatch",
];

/** Whether every further call would fail the same way. */
export const isAboutCredentials = (error: unknown): boolean =>
  [...NO_CREDENTIALS, ...REFUSED_CREDENTIALS].includes(toText(error, "name"));

/** One line that says what went wrong, and what to do where that is known. */
export function explain(error: unknown, region: string): string {
  const name = toText(error, "name") || "Error";
  const code = toText(error, "code");
  const message = (toText(error, "message") || code || String(error)).replace(/\s+/g, " ").trim();
  if (NO_CREDENTIALS.includes(name)) {
    return `no AWS credentials: ${message}; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`;
  }
  if (REFUSED_CREDENTIALS.includes(name)) {
    return `Lambda in ${region} does not accept the credentials: they are wrong or expired, or the region is not enabled for the account (${name})`;
  }
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    const host = toText(error, "hostname") || `the host of Lambda in ${region}`;
    return `${host} has no address: there is no region ${region}, or no network here (${code})`;
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
