/** A run: conversations side by side, an eye on the process, and honest requests in between. */
import { findLeaks } from "../support/canary.ts";
import type { Answer } from "./answers.ts";
import { createRaw, toConversation } from "./bytes.ts";
import { type Conversation, converse } from "./conversation.ts";
import { judge } from "./judge.ts";
import type { Kept } from "./kept.ts";
import { type Figures, type FuzzLayer, startFuzzLayer } from "./layer.ts";
import { createRandom } from "./random.ts";
import { createStructured, type FuzzRequest } from "./structured.ts";
import { fromKept, type Mode, SECRET_NAME, toKept } from "./world.ts";

export interface FuzzOptions {
  /** The layer's image of /opt. */
  readonly opt: string;
  readonly mode: Mode;
  readonly seed: number;
  readonly requests: number;
  /** This conversation alone. */
  readonly only?: number | undefined;
  /** Default: both. */
  readonly generators?: readonly ("structured" | "raw")[];
  /** Sent first. */
  readonly kept?: readonly Kept[];
  readonly say?: (line: string) => void;
}

export interface Violation {
  readonly why: string;
  /** Undefined where it is none's in particular. */
  readonly conversation?: number;
  readonly pieces?: readonly string[];
}

export interface FuzzReport {
  readonly mode: Mode;
  readonly requests: number;
  readonly conversations: number;
  readonly statuses: ReadonlyMap<number, number>;
  readonly ms: number;
  /** Of the honest requests in between. */
  readonly honest: { readonly count: number; readonly slowestMs: number };
  /** The least memory that the process had, between the first fifth of the requests and the third, and after that. */
  readonly warmKb: number;
  readonly endKb: number;
  readonly descriptors: number | undefined;
  readonly violations: readonly Violation[];
}

const SIDE_BY_SIDE = 32;
const MOST_IN_A_BATCH = 60;
const HONEST_EVERY = 2_000;
/** For a request that takes milliseconds, on a machine that is busy with this. */
const HONEST_LIMIT_MS = 5_000;
const MOST_VIOLATIONS = 10;
/** Fewer do not warm Node's heap up: https://v8.dev/blog/trash-talk */
const MEMORY_FROM_REQUESTS = 200_000;
const MAX_GROWTH = 1.1;
const MAX_GROWTH_KB = 6_000;

export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const layer = await startFuzzLayer(options.opt, options.mode);
  try {
    return await fuzzLayer(layer, options);
  } finally {
    await layer.close();
  }
}

async function fuzzLayer(layer: FuzzLayer, options: FuzzOptions): Promise<FuzzReport> {
  const { seed, requests, only, generators = ["structured", "raw"], kept = [], say = () => {} } = options;
  const { world } = layer;
  const structured = createStructured(world);
  const raw = createRaw(world, structured);
  const statuses = new Map<number, number>();
  const violations: Violation[] = [];
  const refusals = new Set<string>();
  const honest = { count: 0, slowestMs: 0 };
  const memory: number[] = [];
  let [sent, conversations, nextHonest] = [0, 0, 0];
  const pid = layer.pid();

  await askHonestly();
  await settle();
  const atStart = layer.measure();
  const startedMs = performance.now();
  for (const { pieces, why } of kept) {
    const bytes = pieces.map((piece) => fromKept(piece, world));
    await hold(toConversation(bytes, 1, createRandom(seed, 0)), undefined, undefined, why);
  }
  await Promise.all(Array.from({ length: only === undefined ? SIDE_BY_SIDE : 1 }, work));
  const ms = performance.now() - startedMs;
  await askHonestly();
  const atEnd = await settle(atStart?.descriptors);
  // V8 takes and gives back tens of megabytes as it likes: what leaks raises the floor.
  const floorOf = (from: number, to: number) =>
    Math.min(...memory.slice(Math.floor(memory.length * from), Math.ceil(memory.length * to)));
  const [warmKb, endKb] = [floorOf(0.2, 0.6), floorOf(0.6, 1)];
  if (layer.pid() !== pid) complain("the extension is another process than at the start");
  if (atStart && atEnd && atEnd.descriptors > atStart.descriptors)
    complain(`${atStart.descriptors} descriptors at the start have become ${atEnd.descriptors}`);
  if (sent >= MEMORY_FROM_REQUESTS && endKb > warmKb * MAX_GROWTH + MAX_GROWTH_KB)
    complain(`memory grew from ${warmKb} kB to ${endKb} kB`);
  for (const why of findLeaks(new Map([["a refusal", [...refusals].join("\n")]]), layer.canaries)) complain(why);
  for (const why of await layer.shutdown()) complain(why);
  return {
    ...{ mode: world.mode, requests: sent, conversations, statuses, ms, honest },
    ...{ warmKb, endKb, descriptors: atEnd?.descriptors, violations },
  };

  async function work(): Promise<void> {
    while (sent < requests && violations.length < MOST_VIOLATIONS) {
      const number = only ?? conversations;
      conversations += 1;
      const random = createRandom(seed, number);
      if (random.pick(generators) === "structured") {
        const foretold: FuzzRequest[] = [];
        const most = random.int(1, MOST_IN_A_BATCH);
        do foretold.push(structured(random));
        while (foretold.length < most && foretold.at(-1)?.isLast === false);
        sent += foretold.length;
        await hold(toForetold(foretold), number, foretold);
      } else {
        const conversation = raw(random);
        sent += conversation.requests;
        await hold(conversation, number);
      }
      if (sent >= nextHonest) {
        nextHonest = sent + HONEST_EVERY;
        await askHonestly();
        memory.push(layer.measure()?.rssKb ?? 0);
        if (honest.count % 25 === 0) say(`${world.mode}: ${sent} requests, ${memory.at(-1)} kB`);
      }
      if (only !== undefined) return;
    }
  }

  async function hold(conversation: Conversation, number?: number, foretold?: readonly FuzzRequest[], kept?: string) {
    const transcript = await converse(world.port, conversation);
    transcript.answers.forEach(count);
    const why = judge(conversation, transcript, world, foretold);
    if (why === undefined) return;
    const pieces = conversation.pieces.map((piece) => toKept(piece, world));
    violations.push({
      why: kept === undefined ? why : `${why} (once: ${kept})`,
      pieces,
      ...(number === undefined ? {} : { conversation: number }),
    });
  }

  function count({ status, head, body }: Answer): void {
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (status >= 400 && refusals.size < 50_000) refusals.add(`${head.replace(/^date:.*$/im, "")}\n${body}`);
  }

  /** What the function itself asks, on a connection of its own, must be had at any time. */
  async function askHonestly(): Promise<void> {
    const { mode, port, token } = world;
    const head = `GET /secrets/${SECRET_NAME} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nX-Vault-Token: ${token}\r\n\r\n`;
    const isHead = () => false;
    const { answers, ms: tookMs } = await converse(port, { pieces: [head], end: { answers: 1 }, isHead });
    const [{ status, body } = { status: 0, body: "nothing" }] = answers;
    honest.count += 1;
    honest.slowestMs = Math.max(honest.slowestMs, tookMs);
    const isRight =
      mode === "disabled" ? status === 503 : status === 200 && body.startsWith(`{"name":"${SECRET_NAME}"`);
    if (!isRight) complain(`an honest request is answered ${status}: ${body.slice(0, 100)}`);
    if (tookMs > HONEST_LIMIT_MS) complain(`an honest request took ${Math.round(tookMs)} ms`);
  }

  function complain(why: string): void {
    violations.push({ why });
  }

  /** The figures once connections that are closing have closed, or some seconds later. */
  async function settle(most = 0): Promise<Figures | undefined> {
    let figures = layer.measure();
    for (let left = 20; left > 0 && (figures?.descriptors ?? 0) > most; left -= 1) {
      await new Promise((resolve) => setTimeout(resolve, most === 0 ? 25 : 250));
      figures = layer.measure();
    }
    return figures;
  }
}

function toForetold(requests: readonly FuzzRequest[]): Conversation {
  // Of a head that is too large, nobody knows the method.
  const isHead = (number: number) =>
    requests[number]?.statuses.includes(431) ? undefined : requests[number]?.bytes.startsWith("HEAD ") === true;
  return { pieces: [requests.map(({ bytes }) => bytes).join("")], end: { answers: requests.length }, isHead };
}
