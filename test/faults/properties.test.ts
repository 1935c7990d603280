/**
 * The promises of the cache, in random lives of an extension. In CI these are always the same lives, so that only a change
 * of the code can make a test fail. This tries as many others, of a random seed, and judges each by all promises:
 *
 *   LIVES=100000 npx vitest run --config test/vitest.config.ts --root . test/faults/properties.test.ts
 */
import fc from "fast-check";
import { expect } from "vitest";
import type { Cached } from "../../extension/cache/cache.ts";
import { createExtension } from "../../extension/extension.ts";
import type { SecretValue } from "../../extension/values/secret.ts";
import { withTimersOf } from "../simulate/clock.ts";
import { createConfig } from "../support/config.ts";
import { fault } from "../support/faults.ts";
import { silent } from "../support/lives/calls.ts";
import { createLifeClock, settle } from "../support/lives/clock.ts";
import { type Promised, promises } from "../support/lives/judge.ts";
import { allStyles, livesOf, type StyleName } from "../support/lives/life.ts";
import { live } from "../support/lives/run.ts";
import { toSecretArn } from "../support/values.ts";

const group = "properties";
const on = "virtual clock";
const LIVES_IN_CI = 1_000;
const SEED_IN_CI = 20_261_123;
const given = Number(process.env.LIVES ?? 0);
const numRuns = given > 0 ? Math.ceil(given / promises.length) : LIVES_IN_CI;
const seed = given > 0 ? Number(process.env.SEED ?? Date.now() % 2 ** 31) : SEED_IN_CI;
const timeoutMs = given > 0 ? 24 * 3_600_000 : 60_000;

const rows: Readonly<Record<Promised, { name: string; expected: string; styles: readonly StyleName[] }>> = {
  "one flight": {
    name: "flights for one key",
    expected: "never more than one, or two with refreshNow",
    styles: ["mixed", "crowded"],
  },
  "not too old": {
    name: "the age of what is served",
    expected: "never TTL + MAX_STALE or more",
    styles: ["mixed", "crowded"],
  },
  "not after a denial": { name: "a value after a denial", expected: "never served", styles: ["mixed", "crowded"] },
  "not older than before": {
    name: "an older answer after a newer one",
    expected: "never served",
    styles: ["crowded"],
  },
  "the secret that was asked for": {
    name: "two secrets in six spellings",
    expected: "never mistaken for each other",
    styles: ["mixed", "crowded"],
  },
  "an answer in time": {
    name: "a wait",
    expected: "always ends, with a value or a Failure",
    styles: ["mixed", "crowded", "sessions"],
  },
  "forms share nothing": {
    name: "versions, stages and roles that AWS tells apart",
    expected: "share no value, fetch or failure",
    styles: ["mixed", "full"],
  },
  "evicted or held": {
    name: "a full cache",
    expected: "evicts what was used longest ago, and that is gone",
    styles: ["full"],
  },
  "a session is replaced": {
    name: "a session that has ended or was revoked",
    expected: "is replaced once before a failure is believed",
    styles: ["sessions"],
  },
};

for (const [nth, promised] of promises.entries()) {
  const { name, expected, styles } = rows[promised];
  fault({ group, on, name, expected, timeoutMs }, async (see) => {
    let [tried, steps, broken, hits] = [0, 0, 0, 0];
    const property = fc.asyncProperty(livesOf(...(given > 0 ? allStyles : styles)), async (life) => {
      const outcome = await live(life);
      const complaints = outcome.complaints.filter((complaint) => given > 0 || complaint.promised === promised);
      tried += 1;
      steps += life.steps.length;
      hits += outcome.hits;
      broken += complaints.length > 0 ? 1 : 0;
      expect(complaints).toEqual([]);
    });
    try {
      await fc.assert(property, { numRuns, seed: seed + nth });
    } finally {
      see(`${broken} of ${tried} lives with ${steps} steps break it${given > 0 ? ` (seed ${seed})` : ""}`);
    }
    // The promises must not be kept by keeping no value.
    expect(hits).toBeGreaterThan(numRuns / 2);
  });
}

const MB = 1_048_576;
const memory = new Uint8Array(3 * MB);

fault(
  {
    group,
    on,
    name: "cached entries and bytes",
    expected: "never more than CACHE_SIZE, nor more than 8 MB",
    timeoutMs,
  },
  async (see) => {
    let [sequences, mostEntries, mostBytes] = [0, 0, 0];
    const read = fc.record({ name: fc.nat({ max: 30 }), bytes: fc.constantFrom(1, 1_000, 65_536, MB, 3 * MB) });
    const property = fc.asyncProperty(
      fc.nat({ max: 20 }),
      fc.array(read, { maxLength: 50, size: "max" }),
      async (cacheSize, reads) => {
        const sizes = new Map<string, number>();
        const held = new Map<string, number>();
        for (const { name, bytes } of reads) sizes.set(`secret/${name}`, sizes.get(`secret/${name}`) ?? bytes);
        await withReader({ cacheSize, toBytes: (name) => sizes.get(name) }, async (get, stop) => {
          for (const { name } of reads) await get(`secret/${name}`);
          stop();
          for (const [name, bytes] of sizes)
            get(name).then(
              ({ from }) => from === "memory" && held.set(name, bytes),
              () => {},
            );
          await settle();
        });
        const heldBytes = [...held.values()].reduce((sum, bytes) => sum + bytes, 0);
        sequences += 1;
        mostEntries = Math.max(mostEntries, held.size);
        mostBytes = Math.max(mostBytes, heldBytes);
        expect(held.size).toBeLessThanOrEqual(cacheSize);
        expect(heldBytes).toBeLessThanOrEqual(8 * MB);
        // The cache must not meet the bounds by keeping nothing.
        if (cacheSize > 0 && reads.length > 0) expect(held.size).toBeGreaterThan(0);
      },
    );
    await fc.assert(property, { numRuns: 120, seed });
    see(`${sequences} sequences: at most ${mostEntries} entries with ${(mostBytes / MB).toFixed(1)} MB`);
    expect(mostEntries).toBeGreaterThan(10);
  },
);

fault(
  {
    group,
    on,
    name: "what is kept of 5,000 ids that fail, and of 5,000 values that were evicted",
    expected: "as much as of 2,500",
    timeoutMs,
  },
  async (see) => {
    const seen: string[] = [];
    for (const [what, toBytes] of [
      ["ids", () => undefined],
      ["values", () => 1],
    ] as const) {
      const counts: number[] = [];
      for (const most of [2_500, 5_000]) {
        counts.push(
          await countEntries(() =>
            withReader({ cacheSize: 10, toBytes }, async (get) => {
              for (let nth = 0; nth < most; nth += 1) await get(`secret/${nth}`).catch(() => {});
            }),
          ),
        );
      }
      seen.push(`${counts.join(" and ")} entries for ${what}`);
      see(seen.join(", "));
      expect(counts[1]).toBe(counts[0]);
      expect(counts[1]).toBeLessThan(5_000);
    }
  },
);

type Get = (secretId: string) => Promise<Cached<SecretValue>>;

/** Reads with the reader of an extension. Secrets without a size do not exist. After `stop`, AWS does not answer. */
function withReader(
  { cacheSize, toBytes }: { cacheSize: number; toBytes: (name: string) => number | undefined },
  work: (get: Get, stop: () => void) => Promise<void>,
): Promise<void> {
  const { now, monotonicNow, schedule } = createLifeClock(Date.UTC(2026, 0, 1));
  let isAnswering = true;
  const sdk = {
    connectSecretsManager: () => ({}),
    async assumeRole() {
      const Expiration = new Date(now() + 3_600_000);
      const Credentials = { AccessKeyId: "ASIA", SecretAccessKey: "key", SessionToken: "token", Expiration };
      return { answer: { Credentials, $metadata: {} }, dateEpochMs: now() };
    },
    async getSecretValue({ SecretId = "" }) {
      if (!isAnswering) await new Promise(() => {});
      const bytes = toBytes(SecretId);
      if (bytes === undefined) {
        const $metadata = { httpStatusCode: 400 };
        throw Object.assign(new Error(), { name: "ResourceNotFoundException", $fault: "client", $metadata });
      }
      const value = { ARN: toSecretArn(SecretId), Name: SecretId, VersionId: "1", CreatedDate: new Date(1) };
      return { ...value, SecretBinary: memory.subarray(0, bytes), $metadata: {} };
    },
  };
  return withTimersOf({ schedule }, () => {
    const { readers } = createExtension({
      ...{ config: { ...createConfig(), cacheSize }, logger: silent, version: "1.2.3" },
      ...{ now, monotonicNow, random: () => 0.5, write() {}, readFile: () => "" },
      loadAwsSdk: async () => sdk as never,
      loadAwsSsm: () => Promise.reject(new Error("no parameter is read")),
    });
    const [{ secrets }] = readers();
    return work(
      (secretId) => secrets.get({ secretId }, { deadlineEpochMs: now() + 2_500 }),
      () => {
        isAnswering = false;
      },
    );
  });
}

/** Counts the entries of all collections that the work creates. */
async function countEntries(work: () => Promise<void>): Promise<number> {
  const { Map: GivenMap, Set: GivenSet } = globalThis;
  const created: { readonly size: number }[] = [];
  const toCounted = <C extends MapConstructor | SetConstructor>(Given: C): C =>
    new Proxy(Given, {
      construct(target, values, newTarget) {
        const collection = Reflect.construct(target, values, newTarget);
        created.push(collection);
        return collection;
      },
    });
  Object.assign(globalThis, { Map: toCounted(GivenMap), Set: toCounted(GivenSet) });
  try {
    await work();
  } finally {
    Object.assign(globalThis, { Map: GivenMap, Set: GivenSet });
  }
  return created.reduce((sum, { size }) => sum + size, 0);
}
