/** A whole execution environment under the emulator: a function of the bench, and an extension or none. */
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
import type { BenchmarkAws } from "./aws.ts";
import { toVariables } from "./processes.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** How the function gets its secret: not at all, from the layer as in `examples/`, from AWS's agent, or with the guides' code. */
const FUNCTION_VARIANTS = ["idle", "layer", "agent", "guide"] as const;
export type FunctionVariant = (typeof FUNCTION_VARIANTS)[number];

export interface Language {
  readonly name: string;
  /** The layers for functions in this language; the first is measured in every section. */
  readonly layers: readonly [LayerName, ...LayerName[]];
  readonly example: string;
  /** The names of the function, of the wrapper that measures its times, and of the extension of both files. */
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

/** A minimal client of the Runtime API: Lambda's own client needs a compiler. Every module finds the SDK in /node_modules. */
function toNodeRuntime(): Runtime {
  const client = "/var/runtime/client.mjs";
  const files = { [client]: here("../fakes/runtimes/node.mjs"), "/node_modules": here("../../node_modules") };
  const handler = "timed.handler";
  return withNode({ ...provided, handler, bootstrap: ["/var/lang/bin/node", client, handler], files });
}

/** Images of `/opt` and `/var/task`, which exist until `use` has ended. */
export interface FunctionImages {
  toTask(language: Language, variant: FunctionVariant): string;
  /** `layer` is ignored for the other variants. */
  toOpt(variant: FunctionVariant, layer: LayerName): string;
}

export async function withFunctionImages<T>(
  agent: string | undefined,
  use: (images: FunctionImages) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "bench-images-"));
  const images: FunctionImages = {
    toTask: ({ name }, variant) => join(folder, `${name}-${variant}`),
    toOpt: (variant, layer) =>
      variant === "layer" ? toOpt(layer) : join(folder, variant === "agent" ? "agent" : "empty"),
  };
  try {
    await chmod(folder, 0o755);
    for (const language of languages)
      for (const variant of FUNCTION_VARIANTS) await makeTask(images.toTask(language, variant), language, variant);
    await mkdir(join(folder, "empty"));
    if (agent !== undefined) await makeAgent(join(folder, "agent"), agent);
    return await use(images);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function makeTask(task: string, { example, files }: Language, variant: FunctionVariant): Promise<void> {
  await mkdir(task);
  await copyFile(here(`functions/${files.outer}`), join(task, files.outer));
  await copyFile(
    variant === "layer" ? example : here(`functions/${variant}.${files.extension}`),
    join(task, files.inner),
  );
}

async function makeAgent(opt: string, program: string): Promise<void> {
  await mkdir(join(opt, "bin"), { recursive: true });
  await copyFile(program, join(opt, "bin/aws-workload-credentials-provider"));
  await mkdir(join(opt, "extensions"));
  await copyFile(here("programs/agent-extension.sh"), join(opt, "extensions/agent"));
}

/** When the function had its secret, in milliseconds from the start of the environment. */
export interface EnvironmentTimes {
  /** Init and the first invocation: the emulator does both in one. */
  readonly firstAnswerMs: number;
  readonly staticMs: number;
  readonly handlerMs: number;
  /** The median of the handler in the later invocations. */
  readonly warmMs: number;
}

interface FunctionAnswer {
  readonly staticAtMs: number;
  readonly handlerAtMs: number;
  readonly handlerMs: number;
  readonly answer: Readonly<Record<string, unknown>>;
}

const WARM_INVOCATIONS = 5;
/** The folder does not exist, but the AWS SDK for JavaScript needs its name, and the sandbox has no entry for its user. */
const HOME = "/home/sbx_user1051";
/** The keys of the secret, which every function of the bench returns. */
const KEYS = "username,password";
const toText = ({ text }: { readonly text: string }) => text;

/** One cold start, and some further invocations. */
export async function measureEnvironment(options: {
  readonly opt: string;
  readonly task: string;
  readonly runtime: Runtime;
  readonly aws: BenchmarkAws;
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
