/** A secret is rotated while clients read it. */
import { Agent, request } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished } from "vitest";
import { type Bench, startBench } from "../support/bench.ts";
import { createFaultRows } from "../support/faults.ts";
import { SECRET_NAME, SECRET_PATH } from "../support/two-accounts.ts";

const row = createFaultRows("rotation", "layer");
const CLIENTS = 100;
const TTL_MS = 2_000;

/** What one client saw on its connection: versions in order, and errors. */
interface ClientReads {
  readonly versions: string[];
  readonly errors: string[];
  reads: number;
}

async function readUntil({ port, environment }: Bench, isOver: () => boolean): Promise<ClientReads> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const headers = { "X-Aws-Parameters-Secrets-Token": environment.AWS_SESSION_TOKEN };
  const client: ClientReads = { versions: [], errors: [], reads: 0 };
  const read = () =>
    new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
      const outgoing = request({ host: "127.0.0.1", port, path: SECRET_PATH, agent, headers }, (response) => {
        text(response).then((body) => resolve({ status: response.statusCode, body }), reject);
      });
      outgoing.on("error", reject).end();
    });
  while (!isOver()) {
    try {
      const { status, body } = await read();
      const { VersionId: version, __type: type } = JSON.parse(body);
      client.reads += 1;
      if (status !== 200) client.errors.push(`${status} ${type}`);
      else if (client.versions.at(-1) !== version) client.versions.push(version);
    } catch (error) {
      client.errors.push(String((error as NodeJS.ErrnoException).code));
    }
  }
  agent.destroy();
  return client;
}

row(
  `AWSCURRENT moves twice while ${CLIENTS} clients read without a pause`,
  "each sees old, new, newer; no error, and never an older one again",
  async (see) => {
    const bench = await startBench({ environment: { CROSS_ACCOUNT_SECRETS_TTL_SECONDS: String(TTL_MS / 1_000) } });
    await bench.lambda.init();
    const versions = [JSON.parse((await bench.askForSecret()).body).VersionId];
    let isOver = false;
    onTestFinished(() => {
      isOver = true;
    });
    const reading = Promise.all(Array.from({ length: CLIENTS }, () => readUntil(bench, () => isOver)));
    for (const canary of bench.canaries) {
      await delay(TTL_MS / 2);
      versions.push(bench.aws.putSecretValue(bench.secretArn, { secretString: canary }).versionId);
      await delay(TTL_MS + 300);
    }
    isOver = true;
    const clients = await reading;
    const reads = clients.reduce((sum, client) => sum + client.reads, 0);
    const errors = clients.flatMap((client) => client.errors);
    const right = clients.filter((client) => client.versions.join() === versions.join()).length;
    see(
      `${reads} reads, ${errors.length} errors; ${right} of ${CLIENTS} saw old, new, newer; ${bench.aws.count("GetSecretValue")} GetSecretValue`,
    );
    expect(errors).toEqual([]);
    for (const client of clients) expect(client.versions).toEqual(versions);
  },
);

row(
  `${CLIENTS} clients report at once that the version was refused`,
  "each gets 204, with one GetSecretValue; then the new version is served",
  async (see) => {
    const bench = await startBench();
    await bench.lambda.init();
    const old = JSON.parse((await bench.askForSecret()).body).VersionId;
    const { versionId } = bench.aws.putSecretValue(bench.secretArn, { secretString: bench.canaries[0] ?? "" });
    // A report within five seconds of a fetch is refused.
    await delay(5_100);
    const before = bench.aws.count("GetSecretValue");
    const report = () => bench.ask(`/secrets/${SECRET_NAME}/invalid?versionId=${old}`, { method: "POST" });
    const reports = await Promise.all(Array.from({ length: CLIENTS }, report));
    const calls = bench.aws.count("GetSecretValue") - before;
    const answers = await Promise.all(Array.from({ length: CLIENTS }, bench.askForSecret));
    const settled = reports.filter(({ status }) => status === 204).length;
    const current = answers.filter(({ body }) => JSON.parse(body).VersionId === versionId).length;
    see(`${settled} × 204, ${calls} GetSecretValue; then ${current} × the new version`);
    expect([settled, calls, current]).toEqual([CLIENTS, 1, CLIENTS]);
    expect(bench.aws.count("GetSecretValue") - before).toBe(1);
  },
);

row(
  `${CLIENTS} clients ask for refreshNow at once, after a rotation`,
  "each gets the new version; at most 2 GetSecretValue",
  async (see) => {
    const bench = await startBench({
      prepare: ({ aws }) => aws.fault("GetSecretValue", { kind: "slow", delayMs: 200 }),
    });
    await bench.lambda.init();
    const { versionId } = bench.aws.putSecretValue(bench.secretArn, { secretString: bench.canaries[0] ?? "" });
    const before = bench.aws.count("GetSecretValue");
    const answers = await Promise.all(
      Array.from({ length: CLIENTS }, () => bench.ask(`${SECRET_PATH}&refreshNow=true`)),
    );
    const calls = bench.aws.count("GetSecretValue") - before;
    const current = answers.filter(
      ({ status, body }) => status === 200 && JSON.parse(body).VersionId === versionId,
    ).length;
    see(`${current} × the new version, ${calls} GetSecretValue`);
    expect(current).toBe(CLIENTS);
    expect(calls).toBeLessThanOrEqual(2);
  },
);
