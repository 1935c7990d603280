/** What `npm run publish:layer` is to do: arguments and the build's manifest in, a plan or a refusal out. Pure. */
import { parseArgs } from "node:util";
import type { ManifestEntry } from "../build/layers.ts";

export const HELP = `Publishes the built layers to Lambda and prints their ARNs.

  npm run --silent publish:layer -- --regions eu-west-1,us-east-1 [--layers nodejs,x86_64] [--organization o-…] [--dry-run]

  --regions       where to: comma separated, or given several times
  --layers        which of the layers that are built; default: all of them
  --organization  id of an AWS organization, all accounts of which may then use the layers
  --dry-run       checks the files and says what would be done; makes no call to AWS
  --from          the folder with the zips and manifest.json; default: dist
  --help          this text

The account is that of the credentials, which come from where all AWS tools look: AWS_PROFILE, AWS_ACCESS_KEY_ID, …
They need lambda:ListLayerVersions, GetLayerVersion and PublishLayerVersion; for --organization also GetLayerVersionPolicy
and AddLayerVersionPermission.

stdout gets JSON: "layerVersions", each with its ARN, and "failures". stderr gets the rest, and a table for CHANGELOG.md.
Run it again at will: a layer whose newest version has the same bytes is not published again, and a missing grant is made.

Ends with 0 when all is there; 1 when nothing is, and says why; 2 for wrong arguments; 3 when some layers are there, or are
there but not granted, and some are not: the JSON tells which.`;

/** Ends the run before anything is published, with one line. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly exitCode: 1 | 2;

  constructor(exitCode: 1 | 2, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

export interface Wishes {
  readonly regions: readonly string[];
  /** Undefined: all that are built. */
  readonly layers: readonly string[] | undefined;
  readonly organizationId: string | undefined;
  readonly isDryRun: boolean;
  readonly folder: string;
}

/** The patterns are those of Lambda's API. https://docs.aws.amazon.com/lambda/latest/api/API_AddLayerVersionPermission.html */
const REGION = /^(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d$/;
const ORGANIZATION = /^o-[a-z0-9]{10,32}$/;

/** Throws a refusal for anything that it does not know. */
export function parseArguments(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Wishes | "help" {
  const values = parseOptions(args);
  if (values.help === true) return "help";
  const isDryRun = values["dry-run"] === true;
  // npm has an option of this name, takes it for itself, and runs the script all the same.
  if (environment.npm_config_dry_run === "true" && !isDryRun) {
    throw new Refusal(
      2,
      "npm has kept --dry-run for itself: write it behind the --, as in npm run publish:layer -- --dry-run",
    );
  }
  const regions = toList(values.regions);
  if (regions.length === 0)
    throw new Refusal(2, "--regions is missing: say where to publish, such as --regions eu-west-1");
  const wrong = regions.find((region) => !REGION.test(region));
  if (wrong !== undefined) throw new Refusal(2, `${JSON.stringify(wrong)} is not a region; expected such as eu-west-1`);
  const layers = toList(values.layers);
  if (values.layers !== undefined && layers.length === 0) throw new Refusal(2, "--layers names no layer");
  const organizationId = values.organization;
  if (organizationId !== undefined && !ORGANIZATION.test(organizationId)) {
    throw new Refusal(
      2,
      `${JSON.stringify(organizationId)} is not an organization's id; expected such as o-exampleorgid`,
    );
  }
  const folder = values.from ?? "dist";
  return { regions, layers: values.layers === undefined ? undefined : layers, organizationId, isDryRun, folder };
}

function parseOptions(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        regions: { type: "string", multiple: true },
        layers: { type: "string", multiple: true },
        organization: { type: "string" },
        "dry-run": { type: "boolean" },
        from: { type: "string" },
        help: { type: "boolean" },
      },
    }).values;
  } catch (error) {
    // Its first sentence names the argument; the others are advice on positional arguments, of which there are none.
    const [sentence = ""] = (error as Error).message.split(/\.?\n|\. /);
    throw new Refusal(2, `${sentence.charAt(0).toLowerCase()}${sentence.slice(1)}; --help says what there is`);
  }
}

function toList(values: readonly string[] | undefined): string[] {
  const words = (values ?? []).flatMap((value) => value.split(",")).map((word) => word.trim());
  return [...new Set(words.filter((word) => word !== ""))];
}

/** What `npm run build` says of its layers; `file` is where. */
export function parseManifest(text: string, file: string): readonly ManifestEntry[] {
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch {
    // Refused below.
  }
  if (isRecord(manifest) && Array.isArray(manifest.layers) && manifest.layers.every(isEntry)) return manifest.layers;
  throw new Refusal(1, `${file} is not what npm run build writes: run it again`);
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

/** Of a zip that is sent in the request itself; larger ones go by S3. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const ZIPPED_LIMIT_BYTES = 50 * 2 ** 20;
/** Of a function and all its layers together. Same page. */
const UNZIPPED_LIMIT_BYTES = 250 * 2 ** 20;
/** https://docs.aws.amazon.com/lambda/latest/api/API_PublishLayerVersion.html */
const RUNTIMES_LIMIT = 15;

/** The layers that are wanted: of one version, and all of them fit for Lambda. */
export function chooseLayers(
  wanted: readonly string[] | undefined,
  layers: readonly ManifestEntry[],
): { readonly version: string; readonly chosen: readonly ManifestEntry[] } {
  const missing = wanted?.find((name) => !layers.some((layer) => layer.name === name));
  if (missing !== undefined) {
    const built = layers.map(({ name }) => name).join(", ") || "none";
    throw new Refusal(1, `no layer ${JSON.stringify(missing)} is built (${built} is): run npm run build`);
  }
  const chosen = layers.filter(({ name }) => wanted?.includes(name) ?? true);
  const [version, other] = new Set(chosen.map((layer) => layer.version));
  if (version === undefined) throw new Refusal(1, "no layer is built: run npm run build");
  if (other !== undefined) throw new Refusal(1, `layers of ${version} and of ${other} are built: run npm run build`);
  for (const layer of chosen) {
    const unfit = findObstacle(layer);
    if (unfit !== undefined) throw new Refusal(1, `${layer.file} ${unfit}`);
  }
  return { version, chosen };
}

/** Why Lambda would not take it. */
function findObstacle({ zippedBytes, unzippedBytes, compatibleRuntimes: { length: runtimes } }: ManifestEntry) {
  if (zippedBytes > ZIPPED_LIMIT_BYTES) {
    return `has ${zippedBytes} bytes; Lambda takes ${ZIPPED_LIMIT_BYTES} in a request`;
  }
  if (unzippedBytes > UNZIPPED_LIMIT_BYTES) {
    return `has ${unzippedBytes} bytes unzipped; Lambda takes ${UNZIPPED_LIMIT_BYTES}, the function's included`;
  }
  return runtimes > RUNTIMES_LIMIT ? `lists ${runtimes} runtimes; Lambda takes ${RUNTIMES_LIMIT}` : undefined;
}

/** `found` is the checksum of the zip as it is in the folder, in hexadecimal. */
export function checkZip({ file, sha256 }: ManifestEntry, found: string): void {
  if (found === sha256) return;
  throw new Refusal(1, `${file} has sha256 ${found}, but manifest.json says ${sha256}: run npm run build`);
}
