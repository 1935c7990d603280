/**
 * Publishes the built layers: `npm run publish:layer -- --help`.
 *
 *   arguments, manifest, zips ─► checks ─► credentials ─► what is there, everywhere ─► upload, grant; one by one ─► report
 *
 * What can be wrong shows before the first upload. From there on, no failure ends the run, and all of them are reported.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { argv, env } from "node:process";
import { fileURLToPath } from "node:url";
import { createLambdas, type Lambda, type LayerVersion, toLayerName, type Zip } from "./layer-versions.ts";
import { checkZip, chooseLayers, HELP, parseArguments, parseManifest, Refusal, type Wishes } from "./plan.ts";
import {
  explain,
  isAboutCredentials,
  type Outcome,
  toExitCode,
  toJson,
  toLine,
  toMarkdown,
  toSummary,
} from "./report.ts";

/** Gives the exit code. Throws a refusal where it has done nothing. */
async function publishLayers(wishes: Wishes, say: (text: string) => void): Promise<number> {
  const { version, zips } = await readZips(wishes);
  const outcomes: Outcome[] = [];
  const add = (outcome: Outcome) => {
    outcomes.push(outcome);
    say(toLine(outcome));
  };
  if (wishes.isDryRun) plan(wishes, zips, add);
  else {
    const { regions, organizationId } = wishes;
    const [first = ""] = regions;
    const lambdas = await orRefuse(first, () => createLambdas(regions));
    await publishAll(await findVersions(lambdas, zips), organizationId, add);
    say(`${toSummary(outcomes)}\n\n${toMarkdown(version, outcomes)}`);
  }
  console.log(toJson(version, outcomes));
  return toExitCode(outcomes);
}

async function readZips({ folder, layers }: Wishes): Promise<{ version: string; zips: readonly Zip[] }> {
  const read = async (file: string) => {
    try {
      return await readFile(file);
    } catch {
      throw new Refusal(1, `${file} is not there: run npm run build first`);
    }
  };
  const manifest = join(folder, "manifest.json");
  const { version, chosen } = chooseLayers(layers, parseManifest((await read(manifest)).toString(), manifest));
  const zips: Zip[] = [];
  for (const layer of chosen) {
    const bytes = await read(join(folder, layer.file));
    checkZip(layer, createHash("sha256").update(bytes).digest("hex"));
    zips.push({ ...layer, bytes });
  }
  return { version, zips };
}

function plan({ regions, organizationId }: Wishes, zips: readonly Zip[], add: (outcome: Outcome) => void): void {
  const grant = organizationId === undefined ? {} : { organizationId };
  for (const region of regions) {
    for (const zip of zips) add({ region, layer: toLayerName(zip), state: "planned", ...grant });
  }
}

/** A layer for a region, and the version that is there already, if it is. */
interface Publication {
  readonly lambda: Lambda;
  readonly zip: Zip;
  readonly existing: LayerVersion | undefined;
}

/** Shows wrong regions and refused credentials, before the first upload. */
function findVersions(lambdas: readonly Lambda[], zips: readonly Zip[]): Promise<Publication[]> {
  const publications = lambdas.flatMap((lambda) =>
    zips.map(async (zip) => {
      const existing = await orRefuse(lambda.region, () => lambda.findVersion(zip));
      return { lambda, zip, existing };
    }),
  );
  return Promise.all(publications);
}

async function orRefuse<T>(region: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw new Refusal(1, explain(error, region));
  }
}

/** One by one: it is the sender's own line that is slow. */
async function publishAll(
  publications: readonly Publication[],
  organizationId: string | undefined,
  add: (outcome: Outcome) => void,
): Promise<void> {
  let isOver = false;
  for (const { lambda, zip, existing } of publications) {
    const place = { region: lambda.region, layer: toLayerName(zip) };
    if (isOver) {
      add({ ...place, state: "failed", failure: "not tried, as the credentials are no longer accepted" });
      continue;
    }
    let done: Pick<Outcome, "state" | "layerVersionArn"> = { state: "failed" };
    try {
      const version = existing ?? (await lambda.publish(zip));
      done = { state: existing === undefined ? "published" : "existing", layerVersionArn: version.arn };
      if (organizationId !== undefined) await lambda.grant(version, organizationId);
      add({ ...place, ...done, ...(organizationId === undefined ? {} : { organizationId }) });
    } catch (error) {
      isOver = isAboutCredentials(error);
      const why = explain(error, lambda.region);
      add({ ...place, ...done, failure: done.state === "failed" ? why : `not granted to ${organizationId}: ${why}` });
    }
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const wishes = parseArguments(argv.slice(2), env);
    if (wishes === "help") console.log(HELP);
    else process.exitCode = await publishLayers(wishes, console.error);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    console.error(`publish:layer: ${error.message}`);
    process.exitCode = error.exitCode;
  }
}
