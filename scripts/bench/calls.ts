/** What a layer asks of AWS, as AWS counts it. */
import { setTimeout as wait } from "node:timers/promises";
import { createDeferred } from "../../test/fakes/lambda/deferred.ts";
import type { AwsCounts } from "./aws.ts";
import { SECRET_NAME, startExtension } from "./extension.ts";
import type { Figure, Section } from "./figure.ts";
import { toContestant } from "./layers.ts";
import { startLoader } from "./load.ts";
import { type Answer, read, toMarks, toRequest } from "./requests.ts";

const NO_DELAYS = { stsMs: 0, secretsManagerMs: 0 };
/** Long enough that all readers come while AWS has not answered. */
const SLOW = { stsMs: 500, secretsManagerMs: 500 };
/** Fewer than the extension keeps open, which is 900; the other readers follow. */
const CONNECTIONS = 800;
/** An hour of 300 s each, in seconds of one. */
const TTLS_OF_AN_HOUR = 12;
const READ_EVERY_MS = 20;

const toTotal = (counts: AwsCounts) => Object.values(counts).reduce((sum, count) => sum + count, 0);

export const measureCalls: Section = async ({ layers, aws }) => {
  const loader = startLoader();
  const figures: Figure[] = [];
  for (const name of layers) {
    const { layer, commands } = toContestant(name);
    const add = (what: string, counts: AwsCounts) =>
      figures.push({ what, who: layer, unit: "calls", numbers: [toTotal(counts)] });
    await aws.takeCounts();

    const early = createDeferred<Answer>();
    const onRegistered = (port: number) => void read(port, SECRET_NAME).then(early.resolve, early.reject);
    const cold = await startExtension({ command: commands.layer, aws, onRegistered });
    const answer = await early.promise;
    await cold.close();
    add("cold start, read by static code", await aws.takeCounts());

    await aws.delay(SLOW);
    // No secret is fetched unasked: the first reader is the first to want it.
    const empty = { SECRET_NAME: "", CROSS_ACCOUNT_SECRETS_SECRET_IDS: "" };
    const crowded = await startExtension({ command: commands.layer, aws, variables: empty });
    const requests = [toRequest(crowded.port, SECRET_NAME)];
    const load = { port: crowded.port, requests, ...toMarks(answer), connections: CONNECTIONS, isKeepAlive: true };
    await loader.run({ ...load, until: { count: 1_000 } });
    await crowded.close();
    add("a thousand readers of what is not there yet", await aws.takeCounts());
    await aws.delay(NO_DELAYS);

    const variables = { CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "1" };
    const lasting = await startExtension({ command: commands.layer, aws, variables });
    const endMs = performance.now() + TTLS_OF_AN_HOUR * 1_000;
    while (performance.now() < endMs) {
      await read(lasting.port, SECRET_NAME);
      await wait(READ_EVERY_MS);
    }
    await lasting.close();
    add("an hour of reads at a TTL of 300 s", await aws.takeCounts());
  }
  loader.close();
  return { figures, notes: NOTES };
};

/** Of the peers, by their documentation and source. */
const NOTES = [
  "the hour is scaled: 12 TTLs of 1 s each, read every 20 ms; a value is renewed at some 80 % of its TTL, before it is missed",
  "the guide's code (documented, not measured): 2 in every invocation, so 2,000 for a thousand readers",
  "AWS's extension (documented, not measured): assumes no role; refuses reads in static code; then 1 for the first read, 12 in the hour",
  "AWS's agent (its source, not measured): 4 until the first read (GetCallerIdentity twice, AssumeRole, GetSecretValue); shares no flight, so each early reader of a thousand makes its own; then a DescribeSecret for each TTL, 12 in the hour",
];
