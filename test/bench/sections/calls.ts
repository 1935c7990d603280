/** The calls of a layer to AWS, as AWS counts them. */
import { setTimeout as wait } from "node:timers/promises";
import type { LayerName } from "../../../scripts/build/layers.ts";
import { createDeferred } from "../../fakes/lambda/deferred.ts";
import type { BenchmarkAws } from "../aws.ts";
import { AGENT, type Figure, type MeasureSection } from "../figure.ts";
import { type Loader, type LoadOptions, read, type SecretAnswer, startLoader, toMarks, toRequest } from "../load.ts";
import { type MeasuredServer, SECRET_NAME, startAgent, startExtension, toMeasuredLayer } from "../processes.ts";

const NO_DELAYS = { stsMs: 0, secretsManagerMs: 0 };
/** Long enough that all readers come before AWS answers. */
const SLOW = { stsMs: 500, secretsManagerMs: 500 };
/** Fewer than the extension keeps open (900), and than AWS's agent (800). The other readers follow. */
const CONNECTIONS = 700;
/** An hour has 12 TTLs of 300 s. The bench uses TTLs of 1 s. */
const TTLS_OF_AN_HOUR = 12;
const READ_EVERY_MS = 20;

/** In the order in which they run. */
const SCENARIOS = [
  "cold start, read at once",
  "a thousand readers of what is not there yet",
  "an hour of reads at a TTL of 300 s",
] as const;
/** Without a prefetch, the first reader starts the first fetch. */
const NO_PREFETCH = { SECRET_NAME: "", CROSS_ACCOUNT_SECRETS_SECRET_IDS: "" };

/** A server that calls AWS, started as each scenario needs it. */
interface CallingServer {
  readonly readOptions: LoadOptions;
  /** Settles with the server, and with the answer to the first read, which was sent as early as possible. */
  startCold(): Promise<readonly [MeasuredServer, SecretAnswer]>;
  startEmpty(): Promise<MeasuredServer>;
  startShortLived(): Promise<MeasuredServer>;
}

export const measureCalls: MeasureSection = async ({ layers, aws, agent }) => {
  const loader = startLoader();
  const measured = new Map<string, readonly number[]>();
  const servers = new Map(layers.map((name) => [toMeasuredLayer(name).layer, toLayer(name, aws)]));
  if (agent !== undefined) servers.set(AGENT, toAgent(agent, aws));
  for (const [who, server] of servers) measured.set(who, await countAll(server, aws, loader));
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
async function countAll(server: CallingServer, aws: BenchmarkAws, loader: Loader): Promise<readonly number[]> {
  const takeTotal = async () => Object.values(await aws.takeCounts()).reduce((sum, count) => sum + count, 0);
  await takeTotal();

  const [cold, answer] = await server.startCold();
  await cold.close();
  const ofCold = await takeTotal();

  const crowded = await server.startEmpty();
  await aws.delay(SLOW);
  const { port } = crowded;
  const requests = [toRequest(port, SECRET_NAME, server.readOptions)];
  const load = { port, requests, ...toMarks(answer), connections: CONNECTIONS, isKeepAlive: true };
  await loader.run({ ...load, until: { count: 1_000 } });
  await crowded.close();
  const ofCrowd = await takeTotal();
  await aws.delay(NO_DELAYS);

  const lasting = await server.startShortLived();
  const endMs = performance.now() + TTLS_OF_AN_HOUR * 1_000;
  while (performance.now() < endMs) {
    await read(lasting.port, SECRET_NAME, server.readOptions);
    await wait(READ_EVERY_MS);
  }
  await lasting.close();
  return [ofCold, ofCrowd, await takeTotal()];
}

function toLayer(name: LayerName, aws: BenchmarkAws): CallingServer {
  const { layer: command } = toMeasuredLayer(name).commands;
  return {
    readOptions: {},
    async startCold() {
      const early = createDeferred<SecretAnswer>();
      const onRegistered = (port: number) => void read(port, SECRET_NAME).then(early.resolve, early.reject);
      return [await startExtension({ command, aws, onRegistered }), await early.promise];
    },
    startEmpty: () => startExtension({ command, aws, variables: NO_PREFETCH }),
    startShortLived: () => startExtension({ command, aws, variables: { CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "1" } }),
  };
}

function toAgent(program: string, aws: BenchmarkAws): CallingServer {
  const readOptions = { isAgent: true };
  return {
    readOptions,
    async startCold() {
      const agent = await startAgent(program, aws);
      return [agent, await read(agent.port, SECRET_NAME, readOptions)];
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
  "AWS's agent is left out, --wcp names its program; as once measured: GetCallerIdentity and AssumeRole twice and GetSecretValue until the first read, 5; no fetch is shared, so each early reader makes its own; then a DescribeSecret for each TTL";
