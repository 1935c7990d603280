/** The checks before an upload: arguments, the build's manifest, zips. Pure. */

import { type ManifestEntry, RUNTIMES_LIMIT } from "../build/layers.ts";
import { parseOptions } from "../cli/options.ts";
import { CommandError, USAGE } from "../cli/world.ts";

export const HELP = `Publishes the built layers to Lambda and prints their ARNs.

  npm run --silent publish:layer -- --regions eu-west-1,us-east-1 [--layers nodejs,x86_64] [--organization o-…] [--dry-run]

  --regions       the regions to publish to: separated by commas, or in several options
  --layers        the layers to publish; default: all that are built
  --organization  the id of an AWS organization; all its accounts may then use the layers
  --dry-run       checks the files and says what would be done; makes no call to AWS
  --from          the folder with the zips and manifest.json; default: dist
  --help          this text

The credentials decide the account. They come from the usual places of AWS tools: AWS_PROFILE, AWS_ACCESS_KEY_ID, …
They need lambda:ListLayerVersions, GetLayerVersion and PublishLayerVersion; --organization also needs
GetLayerVersionPolicy and AddLayerVersionPermission.

stdout gets JSON: "layerVersions", each with its ARN, and "failures". stderr gets the progress, and a table for CHANGELOG.md.
You can run it again at any time: a layer whose newest version has the same bytes is not published again, and a missing
grant is added.

Exit codes: 0 if all is done; 1 if nothing is, with the reason; 2 for wrong arguments; 3 if only a part is done, such as a
layer that is published but not granted: the JSON says which.`;

export interface PublishOptions {
  readonly regions: readonly string[];
  /** Undefined: all layers that are built. */
  readonly layers: readonly string[] | undefined;
  readonly organizationId: string | undefined;
  readonly isDryRun: boolean;
  readonly folder: string;
}

/** The patterns are those of Lambda's API. https://docs.aws.amazon.com/lambda/latest/api/API_AddLayerVersionPermission.html */
const REGION = /^(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d$/;
const ORGANIZATION = /^o-[a-z0-9]{10,32}$/;

export function parsePublishOptions(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): PublishOptions | "help" {
  const { values } = parseOptions(args, {
    regions: { type: "string", multiple: true },
    layers: { type: "string", multiple: true },
    organization: { type: "string" },
    "dry-run": { type: "boolean" },
    from: { type: "string" },
    help: { type: "boolean" },
  });
  if (values.help === true) return "help";
  const isDryRun = values["dry-run"] === true;
  // npm has an option of the same name. It takes the option for itself, and still runs the script.
  if (environment.npm_config_dry_run === "true" && !isDryRun) {
    throw new CommandError(USAGE, "npm took --dry-run for itself: write npm run publish:layer -- --dry-run");
  }
  const regions = toList(values.regions);
  if (regions.length === 0) throw new CommandError(USAGE, "--regions is missing; an example: --regions eu-west-1");
  const wrong = regions.find((region) => !REGION.test(region));
  if (wrong !== undefined)
    throw new CommandError(USAGE, `${JSON.stringify(wrong)} is not a region; an example: eu-west-1`);
  const layers = toList(values.layers);
  if (values.layers !== undefined && layers.length === 0) throw new CommandError(USAGE, "--layers names no layer");
  const organizationId = values.organization;
  if (organizationId !== undefined && !ORGANIZATION.test(organizationId)) {
    throw new CommandError(
      USAGE,
      `${JSON.stringify(organizationId)} is not an organization's id; an example: o-exampleorgid`,
    );
  }
  const folder = values.from ?? "dist";
  return { regions, layers: values.layers === undefined ? undefined : layers, organizationId, isDryRun, folder };
}

function toList(values: readonly string[] | undefined): string[] {
  const words = (values ?? []).flatMap((value) => value.split(",")).map((word) => word.trim());
  return [...new Set(words.filter((word) => word !== ""))];
}

/** The entries of the manifest that `npm run build` writes. `file` is the path in an error message. */
export function parseManifest(text: string, file: string): readonly ManifestEntry[] {
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch {
    // The error is thrown below.
  }
  if (isRecord(manifest) && Array.isArray(manifest.layers) && manifest.layers.every(isEntry)) return manifest.layers;
  throw new CommandError(1, `${file} is not what npm run build writes: run it again`);
}

const isText = (value: unknown): boolean => typeof value === "string" && value !== "";
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
const isSize = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) > 0;
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

function isEntry(value: unknown): value is ManifestEntry {
  if (!isRecord(value)) return false;
  const { name, version, file, sha256, zippedBytes, unzippedBytes, architectures, compatibleRuntimes, nodeVersion } =
    value;
  return (
    [name, version, file, sha256].every(isText) &&
    [zippedBytes, unzippedBytes].every(isSize) &&
    [architectures, compatibleRuntimes].every(isTexts) &&
    (nodeVersion === null || isText(nodeVersion))
  );
}

/** The limit of a zip in the request itself; a larger zip must be uploaded through S3. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const ZIPPED_LIMIT_BYTES = 50 * 2 ** 20;
/** The limit of a function and all its layers together. Same page. */
const UNZIPPED_LIMIT_BYTES = 250 * 2 ** 20;

/** The wanted layers. Throws unless they are all built, have one version, and are within Lambda's limits. */
export function chooseLayers(
  wanted: readonly string[] | undefined,
  layers: readonly ManifestEntry[],
): { readonly version: string; readonly chosen: readonly ManifestEntry[] } {
  const missing = wanted?.find((name) => !layers.some((layer) => layer.name === name));
  if (missing !== undefined) {
    const built = layers.map(({ name }) => name).join(", ") || "none";
    throw new CommandError(1, `layer ${JSON.stringify(missing)} is not built (built: ${built}): run npm run build`);
  }
  const chosen = layers.filter(({ name }) => wanted?.includes(name) ?? true);
  const [version, other] = new Set(chosen.map((layer) => layer.version));
  if (version === undefined) throw new CommandError(1, "no layer is built: run npm run build");
  if (other !== undefined) {
    throw new CommandError(1, `the built layers have two versions, ${version} and ${other}: run npm run build`);
  }
  for (const layer of chosen) {
    const excess = findExcess(layer);
    if (excess !== undefined) throw new CommandError(1, `${layer.file} ${excess}`);
  }
  return { version, chosen };
}

/** Which of Lambda's limits the layer exceeds. */
function findExcess({ zippedBytes, unzippedBytes, compatibleRuntimes: { length: runtimes } }: ManifestEntry) {
  if (zippedBytes > ZIPPED_LIMIT_BYTES) {
    return `has ${zippedBytes} bytes; Lambda takes at most ${ZIPPED_LIMIT_BYTES} in a request`;
  }
  if (unzippedBytes > UNZIPPED_LIMIT_BYTES) {
    return `has ${unzippedBytes} bytes unzipped; Lambda takes at most ${UNZIPPED_LIMIT_BYTES}, with the function`;
  }
  return runtimes > RUNTIMES_LIMIT ? `lists ${runtimes} runtimes; Lambda takes at most ${RUNTIMES_LIMIT}` : undefined;
}

/** `found` is the SHA-256 of the zip in the folder, in hexadecimal. */
export function checkZip({ file, sha256 }: ManifestEntry, found: string): void {
  if (found === sha256) return;
  throw new CommandError(1, `${file} has sha256 ${found}, but manifest.json says ${sha256}: run npm run build`);
}
