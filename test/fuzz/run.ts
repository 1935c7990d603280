/** A run: conversations side by side, ordinary requests in between, and a look at the process of the layer. */
import fc from "fast-check";
import { findLeaks } from "../support/canary.ts";
import { SECRET_NAME } from "../support/two-accounts.ts";
import { converse, type FuzzReply } from "./connection.ts";
import { conversationOf, type FuzzConversation, type GeneratorName, toConversation } from "./conversations.ts";
import { judge } from "./judge.ts";
import { type KeptCase, withoutPlaceholders, withPlaceholders } from "./kept-cases.ts";
import { type AccessMode, type ProcessUsage, type RunningLayer, startLayer } from "./layer.ts";

export interface FuzzOptions {
  /** The layer's image of /opt. */
  readonly opt: string;
  readonly mode: AccessMode;
  readonly seed: number;
  readonly requests: number;
  /** The number of the only conversation to be held. */
  readonly only?: number | undefined;
  /** Default: both. */
  readonly generators?: readonly GeneratorName[];
  /** Sent first. */
  readonly kept?: readonly KeptCase[];
  readonly say?: (line: string) => void;
}

export interface Violation {
  /** The rule that is broken. */
  readonly why: string;
  /** The conversation's number. Undefined if no generated conversation is to blame. */
  readonly conversation?: number;
  readonly pieces?: readonly string[];
  /** A smaller conversation that breaks a rule, too; undefined if none was found. */
  readonly smallest?: readonly string[];
}

export interface FuzzReport {
  readonly mode: AccessMode;
  readonly requests: number;
  readonly conversations: number;
  readonly statuses: ReadonlyMap<number, number>;
  readonly ms: number;
  /** The ordinary requests in between. */
  readonly ordinary: { readonly count: number; readonly slowestMs: number };
  /** The least memory of the process from the first to the third fifth of the requests, and after that. */
  readonly warmKb: number;
  readonly endKb: number;
  readonly descriptors: number | undefined;
  readonly violations: readonly Violation[];
}

const SIDE_BY_SIDE = 32;
const ORDINARY_EVERY = 2_000;
/** An ordinary request takes milliseconds, but the machine is busy with the fuzzer. */
const ORDINARY_LIMIT_MS = 5_000;
const MAX_VIOLATIONS = 10;
/** The time in which fast-check looks for a smaller conversation. One that gets no answer takes 40 s. */
const SHRINK_LIMIT_MS = 60_000;
/** Fewer requests do not warm Node's heap up: https://v8.dev/blog/trash-talk */
const MEMORY_FROM_REQUESTS = 200_000;
const MAX_GROWTH = 1.1;
const MAX_GROWTH_KB = 6_000;

export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const running = await startLayer(options.opt, options.mode);
  try {
    return await fuzzLayer(running, options);
  } finally {
    await running.close();
  }
}

/**
 * Each conversation has a seed of its own, so that it can be sent again without those before it. fast-check's own loop
 * (`fc.assert`) is not used for the run: it awaits one conversation before it makes the next, and a million requests need
 * many side by side.
 */
export function generate<T>(arbitrary: fc.Arbitrary<T>, seed: number, number: number): T {
  const [value] = fc.sample(arbitrary, { seed: toConversationSeed(seed, number), numRuns: 1 });
  return value as T;
}

/** A smaller value that also breaks a rule; undefined if fast-check finds none, or the value breaks none this time. */
export async function shrink<T>(
  arbitrary: fc.Arbitrary<T>,
  { seed, number }: { readonly seed: number; readonly number: number },
  isRight: (value: T) => Promise<boolean>,
): Promise<T | undefined> {
  const { counterexample } = await fc.check(fc.asyncProperty(arbitrary, isRight), {
    seed: toConversationSeed(seed, number),
    numRuns: 1,
    interruptAfterTimeLimit: SHRINK_LIMIT_MS,
  });
  return counterexample?.[0];
}

/** The factor (2 ** 32 divided by the golden ratio) puts the conversations of neighbouring seeds far apart. */
const toConversationSeed = (seed: number, number: number): number => (Math.imul(seed, 0x9e3779b1) + number) | 0;

async function fuzzLayer(running: RunningLayer, options: FuzzOptions): Promise<FuzzReport> {
  const { seed, requests, only, generators = ["predicted", "mutated"], kept = [], say = () => {} } = options;
  const { layer } = running;
  const conversation = conversationOf(layer, generators);
  const statuses = new Map<number, number>();
  const violations: Violation[] = [];
  const refusals = new Set<string>();
  const ordinary = { count: 0, slowestMs: 0 };
  const memory: number[] = [];
  let [sent, conversations, nextOrdinary] = [0, 0, 0];
  const pid = running.pid();

  await sendOrdinaryRequest();
  await settle();
  const atStart = running.measure();
  const startedMs = performance.now();
  for (const { pieces, why } of kept) {
    const bytes = pieces.map((piece) => withoutPlaceholders(piece, layer));
    const again = await hold(toConversation(bytes, 1));
    if (again !== undefined) violations.push({ why: `${again} (a kept case: ${why})`, pieces });
  }
  await Promise.all(Array.from({ length: only === undefined ? SIDE_BY_SIDE : 1 }, work));
  const ms = performance.now() - startedMs;
  await sendOrdinaryRequest();
  const atEnd = await settle(atStart?.descriptors);
  // V8 allocates and frees tens of megabytes as it likes. A leak raises the minimum.
  const minimumOf = (from: number, to: number) =>
    Math.min(...memory.slice(Math.floor(memory.length * from), Math.ceil(memory.length * to)));
  const [warmKb, endKb] = [minimumOf(0.2, 0.6), minimumOf(0.6, 1)];
  if (running.pid() === pid) await shrinkViolations();
  else complain("the extension is another process than at the start");
  if (atStart && atEnd && atEnd.descriptors > atStart.descriptors)
    complain(`${atStart.descriptors} descriptors at the start have become ${atEnd.descriptors}`);
  if (sent >= MEMORY_FROM_REQUESTS && endKb > warmKb * MAX_GROWTH + MAX_GROWTH_KB)
    complain(`memory grew from ${warmKb} kB to ${endKb} kB`);
  for (const why of findLeaks(new Map([["a refusal", [...refusals].join("\n")]]), running.canaries)) complain(why);
  for (const why of await running.shutdown()) complain(why);
  return {
    ...{ mode: layer.mode, requests: sent, conversations, statuses, ms, ordinary },
    ...{ warmKb, endKb, descriptors: atEnd?.descriptors, violations },
  };

  async function work(): Promise<void> {
    while (sent < requests && violations.length < MAX_VIOLATIONS) {
      const number = only ?? conversations;
      conversations += 1;
      const generated = generate(conversation, seed, number);
      sent += generated.requests;
      const why = await hold(generated);
      if (why !== undefined) violations.push({ why, conversation: number, pieces: toPlaceholders(generated) });
      if (sent >= nextOrdinary) {
        nextOrdinary = sent + ORDINARY_EVERY;
        await sendOrdinaryRequest();
        memory.push(running.measure()?.rssKb ?? 0);
        if (ordinary.count % 25 === 0) say(`${layer.mode}: ${sent} requests, ${memory.at(-1)} kB`);
      }
      if (only !== undefined) return;
    }
  }

  /** Returns the first rule that is broken. */
  async function hold(held: FuzzConversation): Promise<string | undefined> {
    const transcript = await converse(layer.port, held);
    transcript.answers.forEach(count);
    return judge(held, transcript, layer, held.predicted);
  }

  async function shrinkViolations(): Promise<void> {
    for (const [index, violation] of violations.entries()) {
      const { conversation: number } = violation;
      if (number === undefined) continue;
      const isRight = async (candidate: FuzzConversation) => (await hold(candidate)) === undefined;
      const smallest = await shrink(conversation, { seed, number }, isRight);
      if (smallest !== undefined) violations[index] = { ...violation, smallest: toPlaceholders(smallest) };
    }
  }

  function toPlaceholders({ pieces }: FuzzConversation): string[] {
    return pieces.map((piece) => withPlaceholders(piece, layer));
  }

  function count({ status, head, body }: FuzzReply): void {
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (status >= 400 && refusals.size < 50_000) refusals.add(`${head.replace(/^date:.*$/im, "")}\n${body}`);
  }

  /** The function's own request, on a connection of its own, must be answered at any time. */
  async function sendOrdinaryRequest(): Promise<void> {
    const { mode, port, token } = layer;
    const head = `GET /secrets/${SECRET_NAME} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nX-Vault-Token: ${token}\r\n\r\n`;
    const isHead = () => false;
    const { answers, ms: tookMs } = await converse(port, { pieces: [head], end: { answers: 1 }, isHead });
    const [{ status, body } = { status: 0, body: "nothing" }] = answers;
    ordinary.count += 1;
    ordinary.slowestMs = Math.max(ordinary.slowestMs, tookMs);
    const isRight =
      mode === "disabled" ? status === 503 : status === 200 && body.startsWith(`{"name":"${SECRET_NAME}"`);
    if (!isRight) complain(`an ordinary request is answered ${status}: ${body.slice(0, 100)}`);
    if (tookMs > ORDINARY_LIMIT_MS) complain(`an ordinary request took ${Math.round(tookMs)} ms`);
  }

  function complain(why: string): void {
    violations.push({ why });
  }

  /** Measures the process when closing connections have closed, or after some seconds. */
  async function settle(maxDescriptors = 0): Promise<ProcessUsage | undefined> {
    let usage = running.measure();
    for (let left = 20; left > 0 && (usage?.descriptors ?? 0) > maxDescriptors; left -= 1) {
      await new Promise((resolve) => setTimeout(resolve, maxDescriptors === 0 ? 25 : 250));
      usage = running.measure();
    }
    return usage;
  }
}
