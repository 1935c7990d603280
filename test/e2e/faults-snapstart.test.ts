/** SnapStart, as far as the emulator supports it, and a restore, as far as clocks can simulate it. */
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect } from "vitest";
import { type LayerName, toOpt } from "../../scripts/build/build.ts";
import { startCredentialsEndpoint } from "../support/credentials-endpoint.ts";
import { fault } from "../support/faults.ts";
import { KEYS as FIELDS } from "../support/happy-path.ts";
import { FUNCTION_ROLE_ARN, SECRET_PATH } from "../support/two-accounts.ts";
import { type Asker, type AskerOptions, startAsker, toAnswerText, toCallCounts } from "./support/asker.ts";
import { unavailable } from "./support/availability.ts";
import { startBareRoot } from "./support/bare-root.ts";
import { startWithAccounts } from "./support/environment.ts";
import { readVariableNames } from "./support/process.ts";
import { python, type Runtime } from "./support/runtimes.ts";
import { prepareNode } from "./support/toolchains.ts";

const group = "SnapStart";
const on = "emulator";
const KEYS = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
const toSessionNames = ({ aws }: Asker) => aws.calls.flatMap(({ roleSessionName }) => roleSessionName ?? []);

/**
 * The emulator has only SnapStart's endpoint for credentials: it takes no snapshot, restores none, and leaves the keys in the
 * environment. A fixture removes them for the extension, and `env` for the function. The function's client is told "on-demand",
 * because otherwise it would wait for a restore.
 */
const snapStart = {
  flags: ["--enable-init-caching"],
  environment: { AWS_LAMBDA_INITIALIZATION_TYPE: "snap-start" },
  opt: fileURLToPath(new URL("../fixtures/snapstart", import.meta.url)),
  toRuntime: (runtime) => toSnapStart(runtime, "x86_64"),
} satisfies AskerOptions;

/** `variables` replace the emulator's. */
const toSnapStart = (
  runtime: Runtime,
  layer: LayerName,
  variables: Readonly<Record<string, string>> = {},
): Runtime => ({
  ...runtime,
  files: { ...runtime.files, "/var/layer": toOpt(layer) },
  bootstrap: [
    "/usr/bin/env",
    ...KEYS.flatMap((name) => ["--unset", name]),
    "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
    ...Object.entries(variables).map(([name, value]) => `${name}=${value}`),
    ...runtime.bootstrap,
  ],
});

/** An environment whose endpoint for credentials a test controls. */
async function startWithEndpoint(layer: LayerName, task: string, runtime: Runtime) {
  const endpoint = await startCredentialsEndpoint();
  const variables = Object.fromEntries(Object.entries(endpoint.variables).filter(([name]) => !KEYS.includes(name)));
  const { sandbox, accounts } = await startWithAccounts({
    flags: snapStart.flags,
    opt: snapStart.opt,
    task: fileURLToPath(new URL(`../../${task}`, import.meta.url)),
    runtime: toSnapStart(runtime, layer, variables),
    toVariables: () => ({
      ...snapStart.environment,
      ENDPOINT_OF_TEST: variables.AWS_CONTAINER_CREDENTIALS_FULL_URI ?? "",
      TOKEN_OF_TEST: endpoint.token,
    }),
  });
  async function invoke(event: object): Promise<Readonly<Record<string, unknown>>> {
    const { status, body } = await sandbox.invoke(event);
    if (status !== 200) throw new Error(`${status} ${body}\n${sandbox.logs.map(({ text }) => text).join("\n")}`);
    return JSON.parse(body);
  }
  const rotate = () => endpoint.give(accounts.aws.issueSession({ roleArn: FUNCTION_ROLE_ARN }));
  rotate();
  return { ...accounts, sandbox, endpoint, invoke, rotate };
}

/** The request for the secret, in the forms of published clients. */
const PATHS = [
  SECRET_PATH,
  `/${SECRET_PATH}`,
  `${SECRET_PATH}&withDecryption=true`,
  `${SECRET_PATH}&versionId=&versionStage=`,
];

describe.skipIf(unavailable)("under the Runtime Interface Emulator", () => {
  fault(
    {
      group,
      on,
      name: "no keys in the environment during the init that a snapshot would save",
      expected: "nothing is fetched before the function's request; then with the endpoint's credentials",
    },
    async (see) => {
      const asker = await startAsker(snapStart);
      await asker.ask({ paths: [] });
      const names = asker.sandbox.extensionPids().flatMap(readVariableNames);
      const callsInInit = asker.aws.calls.length;
      const answer = await asker.askOnce();
      see(`${callsInInit} calls in init; then ${toAnswerText(answer)}; ${toCallCounts(asker)}`);
      expect(names).toContain("AWS_CONTAINER_CREDENTIALS_FULL_URI");
      expect(names.filter((name) => KEYS.includes(name))).toEqual([]);
      expect(callsInInit).toBe(0);
      expect(answer.status).toBe(200);
      expect(asker.aws.calls.map(({ outcome }) => outcome)).toEqual(["ok", "ok"]);
    },
  );

  fault(
    {
      group,
      on,
      name: "the function sends the session token that boto3 finds, while the endpoint changes its credentials",
      expected: "200 to the token of now and of before, in every form of published clients",
    },
    async (see) => {
      const app = await startWithEndpoint("x86_64", "test/fixtures/sdk-token", python("app.handler"));
      const statuses: unknown[] = [];
      for (const path of PATHS) {
        statuses.push((await app.invoke({ path })).status);
        app.rotate();
        statuses.push((await app.invoke({ path, keep: true })).status);
        await delay(1_000); // at most one look-up a second
        statuses.push((await app.invoke({ path })).status);
      }
      see(`${[...new Set(statuses)].join()}; ${app.aws.count("AssumeRole")} AssumeRole`);
      expect(statuses).toEqual(statuses.map(() => 200));
      expect(app.aws.calls.map(({ outcome }) => outcome)).toEqual(["ok", "ok"]);
    },
  );

  fault(
    {
      group,
      on,
      name: "the nodejs layer, and a function that has only the endpoint's variables",
      expected: "the example's static code and handler read the secret",
    },
    async (see) => {
      const runtime = await prepareNode("nodejs24.x", "/var/lang/bin/node");
      const app = await startWithEndpoint("nodejs", "examples/nodejs", runtime);
      const answer = await app.invoke({});
      see(JSON.stringify(answer));
      expect(answer).toEqual({ init: FIELDS, handler: FIELDS });
      expect(app.aws.calls.map(({ outcome }) => outcome)).toEqual(["ok", "ok"]);
    },
  );

  fault(
    {
      group,
      on: "layer",
      name: "a container image with nothing but the layer, and the endpoint's variables",
      expected: "200 to both tokens, 403 to another; nothing is fetched before",
    },
    async (see) => {
      const endpoint = await startCredentialsEndpoint();
      const bench = await startBareRoot({
        layer: "x86_64",
        initializationType: "snap-start",
        environment: endpoint.variables,
      });
      const session = bench.aws.issueSession({ roleArn: FUNCTION_ROLE_ARN });
      endpoint.give(session);
      await bench.lambda.init();
      const before = bench.aws.calls.length + endpoint.asked.length;
      const ask = async (token: string) =>
        (await bench.ask(SECRET_PATH, { headers: { "X-Aws-Parameters-Secrets-Token": token } })).status;
      const statuses = [await ask(session.sessionToken), await ask(endpoint.token), await ask("another")];
      see(`${before} calls in init; then ${statuses.join(", ")}`);
      expect([before, ...statuses]).toEqual([0, 200, 200, 403]);
    },
  );

  for (const [name, clocks, expected] of [
    [
      "a minute passes on the wall clock only, as in a restore",
      "wall",
      "value, session and session name are new, although the TTL has not ended",
    ],
    ["a minute passes on both clocks, as in a freeze", "wall and monotonic", "no restore: the cached value is served"],
  ] as const) {
    fault({ group, on, name, expected }, async (see) => {
      const asker = await startAsker({ ...snapStart, clocks });
      const before = await asker.askOnce();
      expect(before.status).toBe(200);
      const { digest } = asker.rotate();
      asker.pass(60_000);
      const answer = await asker.askOnce();
      const names = new Set(toSessionNames(asker));
      const isNew = answer.digest === digest;
      see(
        `${toAnswerText(answer)}, the ${isNew ? "new" : "old"} value; ${names.size} session names in ${toCallCounts(asker)}`,
      );
      expect(answer).toMatchObject({ status: 200, digest: clocks === "wall" ? digest : before.digest });
      expect(names.size).toBe(clocks === "wall" ? 2 : 1);
      expect(asker.aws.count("AssumeRole")).toBe(names.size);
    });
  }
});
