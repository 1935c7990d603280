/**
 * Publishes the built layers: `npm run publish:layer -- --help`.
 *
 *   arguments, manifest, zips ─► checks ─► credentials ─► existing versions in all regions ─► upload and grant, one by one ─► report
 *
 * All checks come before the first upload. After that, no failure ends the run, and the report lists every failure.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { argv, env } from "node:process";
import { fileURLToPath } from "node:url";
import { toLayerName } from "../build/layers.ts";
import { CommandError } from "../cli/world.ts";
import { checkZip, chooseLayers, HELP, type PublishOptions, parseManifest, parsePublishOptions } from "./checks.ts";
import { type BuiltLayer, createRegionalLambdas, type LayerVersion, type RegionalLambda } from "./layer-versions.ts";
import {
  isCredentialsError,
  type PublishResult,
  toChangelogTable,
  toFailureText,
  toJsonReport,
  toProgressLine,
  toPublishExitCode,
  toRegionSummary,
} from "./report.ts";

/** Returns the exit code. Throws a CommandError if it has done nothing. */
async function publishLayers(options: PublishOptions, say: (text: string) => void): Promise<number> {
  const { version, layers } = await readLayers(options);
  const results: PublishResult[] = [];
  const add = (result: PublishResult) => {
    results.push(result);
    say(toProgressLine(result));
  };
  if (options.isDryRun) listPlanned(options, layers, add);
  else {
    const { regions, organizationId } = options;
    const [first = ""] = regions;
    const lambdas = await orThrow(first, () => createRegionalLambdas(regions));
    await publishAll(await findVersions(lambdas, layers), organizationId, add);
    say(`${toRegionSummary(results)}\n\n${toChangelogTable(version, results)}`);
  }
  console.log(toJsonReport(version, results));
  return toPublishExitCode(results);
}

async function readLayers(options: PublishOptions): Promise<{ version: string; layers: readonly BuiltLayer[] }> {
  const { folder } = options;
  const read = async (file: string) => {
    try {
      return await readFile(file);
    } catch {
      throw new CommandError(1, `${file} is missing: run npm run build first`);
    }
  };
  const manifest = join(folder, "manifest.json");
  const { version, chosen } = chooseLayers(options.layers, parseManifest((await read(manifest)).toString(), manifest));
  const layers: BuiltLayer[] = [];
  for (const layer of chosen) {
    const bytes = await read(join(folder, layer.file));
    checkZip(layer, createHash("sha256").update(bytes).digest("hex"));
    layers.push({ ...layer, bytes });
  }
  return { version, layers };
}

function listPlanned(
  { regions, organizationId }: PublishOptions,
  layers: readonly BuiltLayer[],
  add: (result: PublishResult) => void,
): void {
  const grant = organizationId === undefined ? {} : { organizationId };
  for (const region of regions) {
    for (const layer of layers) add({ region, layer: toLayerName(layer.name), state: "planned", ...grant });
  }
}

/** A layer for a region. */
interface Publication {
  readonly lambda: RegionalLambda;
  readonly layer: BuiltLayer;
  /** The version with the same bytes, if the region has one. */
  readonly existing: LayerVersion | undefined;
}

/** Fails for a wrong region or rejected credentials, before the first upload. */
function findVersions(lambdas: readonly RegionalLambda[], layers: readonly BuiltLayer[]): Promise<Publication[]> {
  const publications = lambdas.flatMap((lambda) =>
    layers.map(async (layer) => {
      const existing = await orThrow(lambda.region, () => lambda.findVersion(layer));
      return { lambda, layer, existing };
    }),
  );
  return Promise.all(publications);
}

async function orThrow<T>(region: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw new CommandError(1, toFailureText(error, region));
  }
}

/** Uploads one by one, because the sender's own connection is the slow part. */
async function publishAll(
  publications: readonly Publication[],
  organizationId: string | undefined,
  add: (result: PublishResult) => void,
): Promise<void> {
  let areCredentialsRejected = false;
  for (const { lambda, layer, existing } of publications) {
    const place = { region: lambda.region, layer: toLayerName(layer.name) };
    if (areCredentialsRejected) {
      add({ ...place, state: "failed", failure: "not tried, because the credentials are no longer accepted" });
      continue;
    }
    let done: Pick<PublishResult, "state" | "layerVersionArn"> = { state: "failed" };
    try {
      const version = existing ?? (await lambda.publish(layer));
      done = { state: existing === undefined ? "published" : "existing", layerVersionArn: version.arn };
      if (organizationId !== undefined) await lambda.grant(version, organizationId);
      add({ ...place, ...done, ...(organizationId === undefined ? {} : { organizationId }) });
    } catch (error) {
      areCredentialsRejected = isCredentialsError(error);
      const why = toFailureText(error, lambda.region);
      add({ ...place, ...done, failure: done.state === "failed" ? why : `not granted to ${organizationId}: ${why}` });
    }
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const options = parsePublishOptions(argv.slice(2), env);
    if (options === "help") console.log(HELP);
    else process.exitCode = await publishLayers(options, console.error);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    console.error(`publish:layer: ${error.message}`);
    process.exitCode = error.exitCode;
  }
}
