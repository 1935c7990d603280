/** What a layer asks of AWS, as AWS counts it. */
import { setTimeout as wait } from "node:timers/promises";
import type { LayerName } from "../../../scripts/build/layers.ts";
import { createDeferred } from "../../fakes/lambda/deferred.ts";
import type { BenchAws } from "../aws.ts";
import { AGENT, type Figure, type MeasureSection } from "../figure.ts";
import { type Loader, type ReadOptions, read, type SecretAnswer, startLoader, toMarks, toRequest } from "../load.ts";
import { SECRET_NAME, startAgent, startExtension, toMeasuredLayer } from "../processes.ts";

const NO_DELAYS = { stsMs: 0, secretsManagerMs: 0 };
/** Long enough that all readers come while AWS has not answered. */
const SLOW = { stsMs: 500, secretsManagerMs: 500 };
/** Fewer than the extension keeps open, which is 900, and than AWS's agent, 800; the other readers follow. */
const CONNECTIONS = 700;
/** An hour of 300 s each, in seconds of one. */
const TTLS_OF_AN_HOUR = 12;
const READ_EVERY_MS = 20;

/** What is counted, in the order in which it is brought about. */
const SCENARIOS = [
  "cold start, read at once",
  "a thousand readers of what is not there yet",
  "an hour of reads at a TTL of 300 s",
] as const;
/** No secret is fetched unasked: the first reader is the first to want it. */
const NO_PREFETCH = { SECRET_NAME: "", CROSS_ACCOUNT_SECRETS_SECRET_IDS: "" };

interface Server {
  readonly port: number;
  close(): Promise<void>;
}

/** Who asks AWS, started as each scenario wants it. */
interface Asker {
  readonly whom: ReadOptions;
  /** Settles with it, and with the answer of the first read, which was made as early as can be. */
  startCold(): Promise<readonly [Server, SecretAnswer]>;
  startEmpty(): Promise<Server>;
  startShortLived(): Promise<Server>;
}

export const measureCalls: MeasureSection = async ({ layers, aws, agent }) => {
  const loader = startLoader();
  const measured = new Map<string, readonly number[]>();
  const askers = new Map(layers.map((name) => [toMeasuredLayer(name).layer, toLayer(name, aws)]));
  if (agent !== undefined) askers.set(AGENT, toAgent(agent, aws));
  for (const [who, asker] of askers) measured.set(who, await countAll(asker, aws, loader));
  loader.close();

  const ofAgent = measured.get(AGENT);
  const figures = layers.flatMap((name) => {
    const who = toMeasuredLayer(name).layer;
    return SCENARIOS.map((what, index): Figure => {
      const against = ofAgent === undefined ? [] : [{ who: AGENT, numbers: ofAgent.slice(index, index + 1) }];
      return { what, who, unit: "calls", numbers: measured.get(who)?.slice(index, index + 1) ?? [], against };
    });
  });
  return { figures, notes: [...NOTES, ...(agent === undefined ? [OF_AGENT] : [])] };
};

/** One number for each scenario. */
async function countAll(asker: Asker, aws: BenchAws, loader: Loader): Promise<readonly number[]> {
  const takeTotal = async () => Object.values(await aws.takeCounts()).reduce((sum, count) => sum + count, 0);
  await takeTotal();

  const [cold, answer] = await asker.startCold();
  await cold.close();
  const ofCold = await takeTotal();

  const crowded = await asker.startEmpty();
  await aws.delay(SLOW);
  const { port } = crowded;
  const requests = [toRequest(port, SECRET_NAME, asker.whom)];
  const load = { port, requests, ...toMarks(answer), connections: CONNECTIONS, isKeepAlive: true };
  await loader.run({ ...load, until: { count: 1_000 } });
  await crowded.close();
  const ofCrowd = await takeTotal();
  await aws.delay(NO_DELAYS);

  const lasting = await asker.startShortLived();
  const endMs = performance.now() + TTLS_OF_AN_HOUR * 1_000;
  while (performance.now() < endMs) {
    await read(lasting.port, SECRET_NAME, asker.whom);
    await wait(READ_EVERY_MS);
  }
  await lasting.close();
  return [ofCold, ofCrowd, await takeTotal()];
}

function toLayer(name: LayerName, aws: BenchAws): Asker {
  const { layer: command } = toMeasuredLayer(name).commands;
  return {
    whom: {},
    async startCold() {
      const early = createDeferred<SecretAnswer>();
      const onRegistered = (port: number) => void read(port, SECRET_NAME).then(early.resolve, early.reject);
      return [await startExtension({ command, aws, onRegistered }), await early.promise];
    },
    startEmpty: () => startExtension({ command, aws, variables: NO_PREFETCH }),
    startShortLived: () => startExtension({ command, aws, variables: { CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "1" } }),
  };
}

function toAgent(program: string, aws: BenchAws): Asker {
  const whom = { isAgent: true };
  return {
    whom,
    async startCold() {
      const agent = await startAgent(program, aws);
      return [agent, await read(agent.port, SECRET_NAME, whom)];
    },
    startEmpty: () => startAgent(program, aws),
    startShortLived: () => startAgent(program, aws, { ttl_seconds: 1 }),
  };
}

const NOTES = [
  "the hour is scaled: 12 TTLs of 1 s each, read every 20 ms; a value is renewed at some 80 % of its TTL, before it is missed",
  "the guides' code (as it is written, not measured): 2 in every invocation, so 2,000 for a thousand readers",
  "AWS's extension (documented, not measured): assumes no role; refuses reads in static code; then 1 for the first read, 12 in the hour",
];
const OF_AGENT =
  "AWS's agent is left out, --wcp names its program; as once measured: GetCallerIdentity and AssumeRole twice and GetSecretValue until the first read, 5; no flight is shared, so each early reader makes its own; then a DescribeSecret for each TTL";
