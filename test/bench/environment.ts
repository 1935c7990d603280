/** A whole execution environment of the bench: a function of the bench, and whatever extension, under the emulator. */
import { chmod, copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { toOpt } from "../../scripts/build/build.ts";
import type { LayerName } from "../../scripts/build/layers.ts";
import { provided, python, type Runtime, withNode } from "../e2e/support/runtimes.ts";
import { startRie } from "../e2e/support/sandbox.ts";
import { findFreePort } from "../support/free-port.ts";
import { toQuantile } from "../support/statistics.ts";
import type { BenchAws } from "./aws.ts";
import { toVariables } from "./processes.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** How the function comes by its secret: not at all, by the layer as in `examples/`, by AWS's agent, or as the guides tell. */
const FUNCTION_VARIANTS = ["idle", "layer", "agent", "guide"] as const;
export type FunctionVariant = (typeof FUNCTION_VARIANTS)[number];

export interface Language {
  readonly name: string;
  /** Those that a function in it would take; the first is measured everywhere. */
  readonly layers: readonly [LayerName, ...LayerName[]];
  readonly example: string;
  /** The names of the function and of what takes its times. */
  readonly files: { readonly inner: string; readonly outer: string; readonly extension: string };
  readonly runtime: () => Runtime;
}

/** The layer that carries its own Node.js. */
const selfContained: LayerName = process.arch === "arm64" ? "arm64" : "x86_64";

export const languages: readonly Language[] = [
  {
    name: "Python",
    layers: [selfContained],
    example: here("../../examples/python/app.py"),
    files: { inner: "app.py", outer: "timed.py", extension: "py" },
    runtime: () => python("timed.handler"),
  },
  {
    name: "Node.js",
    layers: ["nodejs", selfContained],
    example: here("../../examples/nodejs/index.mjs"),
    files: { inner: "index.mjs", outer: "timed.mjs", extension: "mjs" },
    runtime: toNodeRuntime,
  },
];

/** Our least client of the Runtime API: Lambda's own is built by a compiler. The SDK is where every module finds it. */
function toNodeRuntime(): Runtime {
  const client = "/var/runtime/client.mjs";
  const files = { [client]: here("../fakes/runtimes/node.mjs"), "/node_modules": here("../../node_modules") };
  const handler = "timed.handler";
  return withNode({ ...provided, handler, bootstrap: ["/var/lang/bin/node", client, handler], files });
}

/** FunctionImages of `/opt` and `/var/task`, which are there as long as `use` takes. */
export interface FunctionImages {
  toTask(language: Language, way: FunctionVariant): string;
  /** `layer` counts where the way is a layer. */
  toOpt(way: FunctionVariant, layer: LayerName): string;
}

export async function withFunctionImages<T>(
  agent: string | undefined,
  use: (images: FunctionImages) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "bench-images-"));
  const images: FunctionImages = {
    toTask: ({ name }, way) => join(folder, `${name}-${way}`),
    toOpt: (way, layer) => (way === "layer" ? toOpt(layer) : join(folder, way === "agent" ? "agent" : "empty")),
  };
  try {
    await chmod(folder, 0o755);
    for (const language of languages)
      for (const way of FUNCTION_VARIANTS) await makeTask(images.toTask(language, way), language, way);
    await mkdir(join(folder, "empty"));
    if (agent !== undefined) await makeAgent(join(folder, "agent"), agent);
    return await use(images);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function makeTask(task: string, { example, files }: Language, way: FunctionVariant): Promise<void> {
  await mkdir(task);
  await copyFile(here(`functions/${files.outer}`), join(task, files.outer));
  await copyFile(way === "layer" ? example : here(`functions/${way}.${files.extension}`), join(task, files.inner));
}

async function makeAgent(opt: string, program: string): Promise<void> {
  await mkdir(join(opt, "bin"), { recursive: true });
  await copyFile(program, join(opt, "bin/aws-workload-credentials-provider"));
  await mkdir(join(opt, "extensions"));
  await copyFile(here("programs/agent-extension.sh"), join(opt, "extensions/agent"));
}

/** When the function had its secret, in milliseconds from the start of the environment. */
export interface EnvironmentTimes {
  /** Init and the first invocation, as the emulator does both in one. */
  readonly firstAnswerMs: number;
  readonly staticMs: number;
  readonly handlerMs: number;
  /** Of the later invocations' handlers, the median. */
  readonly warmMs: number;
}

interface FunctionAnswer {
  readonly staticAtMs: number;
  readonly handlerAtMs: number;
  readonly handlerMs: number;
  readonly answer: Readonly<Record<string, unknown>>;
}

const WARM_INVOCATIONS = 5;
/** There is none, but the AWS SDK for JavaScript wants the name, and the sandbox has no entry for its user. */
const HOME = "/home/sbx_user1051";
/** Of the secret, as every function of the bench answers with them. */
const KEYS = "username,password";
const toText = ({ text }: { readonly text: string }) => text;

/** One cold start, and some further invocations. */
export async function measureEnvironment(options: {
  readonly opt: string;
  readonly task: string;
  readonly runtime: Runtime;
  readonly aws: BenchAws;
  readonly variables?: Readonly<Record<string, string>>;
}): Promise<EnvironmentTimes> {
  const { opt, task, runtime, aws, variables = {} } = options;
  const environment = { ...toVariables({ aws, port: await findFreePort() }), HOME, ...variables };
  const sandbox = await startRie({ opt, task, runtime, environment });
  const invoke = async () => {
    const { status, body, ms } = await sandbox.invoke();
    const times: Partial<FunctionAnswer> = status === 200 ? JSON.parse(body) : {};
    const { staticAtMs = 0, handlerAtMs = 0, handlerMs = 0, answer = { error: "none" } } = times;
    if (Object.values(answer).every((keys) => String(keys) === KEYS)) return { staticAtMs, handlerAtMs, handlerMs, ms };
    throw new Error([`a function of the bench was answered ${status} ${body}`, ...sandbox.logs.map(toText)].join("\n"));
  };
  try {
    const startedAtMs = Date.now();
    const first = await invoke();
    const warmMs: number[] = [];
    while (warmMs.length < WARM_INVOCATIONS) warmMs.push((await invoke()).handlerMs);
    return {
      firstAnswerMs: first.ms,
      staticMs: first.staticAtMs - startedAtMs,
      handlerMs: first.handlerAtMs - startedAtMs,
      warmMs: toQuantile(warmMs, 0.5),
    };
  } finally {
    await sandbox.close();
  }
}
