/**
 * The functions of `examples/` and of clients.ts, on Lambda's real runtimes: fetches runtime clients, and compiles functions,
 * once.
 *
 *   .e2e/examples/<name>-<hash>/   a result; the hash is of its sources, versions, and the code that makes it
 */
import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { NODE_VERSION } from "../../../scripts/build/node-binary.ts";
import { fetchNodeOf, type NodeRuntime } from "../../support/node-runtimes.ts";
import { provided, python, type Runtime } from "./runtimes.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const cache = join(root, ".e2e/examples");
const toExample = (name: string): string => join(root, "examples", name);

/** A function that the emulator can run. */
export interface RunnableFunction {
  /** The contents of `/var/task`. */
  readonly task: string;
  readonly runtime: Runtime;
}

/** A function of `examples/`. */
export interface RunnableExample {
  readonly language: string;
  /** A command that is needed, and missing on this machine. */
  readonly missing: string | undefined;
  prepare(): Promise<RunnableFunction>;
}

/** Lambda's Java client, which includes its native part. */
const JAVA_CLIENT = {
  groupId: "com.amazonaws",
  artifactId: "aws-lambda-java-runtime-interface-client",
  version: "2.9.0",
};
const MAVEN_DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";
/** Lambda's Node.js client, whose native part must be compiled, and a package that this needs. */
const NODE_CLIENT = "aws-lambda-ric@4.0.2";
const NODE_ADDON_API = "node-addon-api@8.9.2";

/** The tools that compile the native part of Lambda's Node.js client. */
const NODE_TOOLS = ["npm", "tar", "xz", "g++", "curl"];
export const missingForNode = findMissingTool(NODE_TOOLS);

/** No runtime has a Node.js on its PATH. These must run on every machine that runs the end-to-end tests, above all in CI. */
export const examples: readonly RunnableExample[] = [
  example("Python", [], async () => ({ task: toExample("python"), runtime: python("app.handler") })),
  example("sh and curl", ["curl"], async () => ({ task: toExample("bash"), runtime: provided })),
  example("Node.js", NODE_TOOLS, async () => ({
    task: toExample("nodejs"),
    runtime: await prepareNode("nodejs24.x", "/var/nodejs/node"),
  })),
  example("TypeScript", NODE_TOOLS, async () => ({
    task: await prepareTypeScript(),
    runtime: await prepareNode("nodejs24.x", "/var/nodejs/node"),
  })),
  example("Java", ["java", "javac", "mvn"], prepareJava),
  example("Go", ["go"], async () => ({ task: await prepareGo(toExample("go")), runtime: provided })),
  example("Rust", ["cargo"], async () => ({ task: await prepareRust(toExample("rust")), runtime: provided })),
];

/** These run if their language is installed, on a runtime client of the tests, because Lambda's come from further registries. */
export const optionalExamples: readonly RunnableExample[] = [
  example("Ruby", ["ruby"], async () => ({
    task: toExample("ruby"),
    runtime: onFakeClient("ruby", "ruby.rb", "app.handler"),
  })),
  example("PHP", ["php"], async () => ({
    task: toExample("php"),
    runtime: onFakeClient("php", "php.php", "index.php"),
  })),
].filter(({ missing }) => missing === undefined);

function example(
  language: string,
  tools: readonly string[],
  prepare: () => Promise<RunnableFunction>,
): RunnableExample {
  return { language, missing: findMissingTool(tools), prepare };
}

/** Returns the first command that is missing on this machine. */
export function findMissingTool(tools: readonly string[]): string | undefined {
  return tools.find((tool) => spawnSync(tool, ["--version"]).error !== undefined);
}

/** Makes a nodejs runtime with Lambda's client, and with its Node.js at the path `node`. Lambda's path is `/var/lang/bin/node`. */
export async function prepareNode(name: NodeRuntime, node: string): Promise<Runtime> {
  const [folder, client] = await Promise.all([fetchNodeOf(name), prepareNodeClient()]);
  return {
    bootstrap: [node, "/var/runtime/index.mjs"],
    handler: "index.handler",
    files: { "/var/runtime": client, [node]: join(folder, "bin/node") },
  };
}

/**
 * The client's own script first builds a libcurl, which takes a minute. The library of the command `curl` works too, with the
 * headers in the client. Node-API is the same for every Node.js, so one build is enough. https://nodejs.org/api/n-api.html
 */
function prepareNodeClient(): Promise<string> {
  return once("node-client", [NODE_CLIENT, NODE_ADDON_API, NODE_VERSION], async (folder) => {
    const node = await fetchNodeOf("nodejs24.x");
    const work = join(folder, "work");
    await Promise.all([unpack(NODE_CLIENT, work), unpack(NODE_ADDON_API, join(work, "api"))]);
    const client = join(work, "package");
    const quietly = ["--no-same-owner", "--warning=no-unknown-keyword"]; // the archives were made on a Mac
    const extract = (archive: string, ...members: string[]) =>
      run("tar", ["-xJf", join(client, "deps", archive), ...quietly, "-C", work, ...members]);
    await extract("curl.tar.xz", "./include");
    await extract("aws-lambda-cpp.tar.xz", "./include/aws", "./src");
    const template = await readFile(join(work, "src/version.cpp.in"), "utf8");
    await writeFile(
      join(work, "src/version.cpp"),
      template.replace(/@PROJECT_VERSION@/g, "0.0.0").replace(/@\w+@/g, "0"),
    );
    const sources = ["package/src/native/rapid-client.cc", "src/runtime.cpp", "src/logging.cpp", "src/version.cpp"];
    const includes = [join(node, "include/node"), join(work, "api/package"), join(work, "include"), join(work, "src")];
    await run("g++", [
      ...["-shared", "-fPIC", "-O1", "-std=c++20", "-pthread", "-fvisibility=hidden"],
      ...["-DNODE_GYP_MODULE_NAME=rapid_client", "-DBUILDING_NODE_EXTENSION", "-DNAPI_CPP_EXCEPTIONS"],
      ...includes.map((include) => `-I${include}`),
      ...sources.map((source) => join(work, source)),
      ...["-l:libcurl.so.4", "-o", join(folder, "rapid-client.node")],
    ]);
    await cp(join(client, "index.mjs"), join(folder, "index.mjs"));
    await rm(work, { recursive: true });
  });
}

function prepareTypeScript(): Promise<string> {
  return once("typescript", [readSources(toExample("typescript"))], async (folder) => {
    await build({
      entryPoints: [join(toExample("typescript"), "index.ts")],
      outfile: join(folder, "index.mjs"),
      ...({ bundle: true, format: "esm", platform: "node", target: "node22", logLevel: "warning" } as const),
    });
  });
}

async function prepareJava(): Promise<RunnableFunction> {
  const settings = spawnSync("java", ["-XshowSettings:properties", "-version"], { encoding: "utf8" }).stderr;
  const home = /java\.home = (.+)/.exec(settings)?.[1] ?? "";
  const [client, task] = await Promise.all([
    once("java-client", [JAVA_CLIENT, MAVEN_DEPENDENCY_PLUGIN], async (folder) => {
      const element = (name: string, text: string) => `<${name}>${text}</${name}>`;
      const toXml = (of: object) =>
        Object.entries(of)
          .map(([name, value]) => element(name, value))
          .join("");
      const self = toXml({ modelVersion: "4.0.0", groupId: "test", artifactId: "test", version: "0" });
      const dependencies = element("dependencies", element("dependency", toXml(JAVA_CLIENT)));
      await writeFile(join(folder, "pom.xml"), element("project", self + dependencies));
      const goal = `${MAVEN_DEPENDENCY_PLUGIN}:copy-dependencies`;
      await run("mvn", ["--quiet", "--batch-mode", goal, "-DoutputDirectory=lib"], { cwd: folder });
    }),
    once("java", [readSources(toExample("java")), settings], async (folder) => {
      const source = join(toExample("java"), "Handler.java");
      await run("javac", [...["-Xlint:all", "-Werror", "--release", "17"], "-d", folder, source]);
    }),
  ]);
  const main = "com.amazonaws.services.lambda.runtime.api.client.AWSLambda";
  const handler = "Handler::handle";
  // Debian's Java has its configuration in /etc. The sandbox already has /usr.
  const places = [home, dirname(dirname(realpathSync(join(home, "conf/security/java.security"))))].filter(
    (place) => !place.startsWith("/usr/"),
  );
  return {
    task,
    runtime: {
      bootstrap: [join(home, "bin/java"), "-cp", "/var/task:/var/runtime/lib/*", main, handler],
      handler,
      files: { "/var/runtime": client, ...Object.fromEntries(places.map((place) => [place, place])) },
    },
  };
}

/** Compiles a function in Go, whose sources are in `source`. */
export function prepareGo(source: string): Promise<string> {
  const version = spawnSync("go", ["version"], { encoding: "utf8" }).stdout;
  return once("go", [readSources(source), version], async (folder) => {
    const env = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly" };
    const small = ["-trimpath", "-ldflags=-s -w", "-tags=lambda.norpc"];
    await run("go", ["build", ...small, "-o", join(folder, "bootstrap")], { cwd: source, env });
  });
}

/** Compiles a function in Rust, whose sources are in `source`. */
export function prepareRust(source: string): Promise<string> {
  const version = spawnSync("cargo", ["--version"], { encoding: "utf8" }).stdout;
  return once("rust", [readSources(source), version], async (folder) => {
    const target = join(folder, "target");
    // A crate may compile an OpenSSL of its own, which takes minutes. This machine's OpenSSL avoids that, if there is one.
    const hasOpenSsl = spawnSync("pkg-config", ["--exists", "openssl"]).status === 0;
    const openSsl = hasOpenSsl ? { OPENSSL_NO_VENDOR: "1" } : {};
    const env = { ...process.env, ...openSsl, CARGO_TARGET_DIR: target, RUSTFLAGS: "-Dwarnings" };
    await run("cargo", ["build", "--release", "--locked", "--quiet"], { cwd: source, env });
    await cp(join(target, "release/bootstrap"), join(folder, "bootstrap"));
    await rm(target, { recursive: true });
  });
}

/** Installs a function in JavaScript, whose sources and lock file are in `source`, with its packages unchanged. */
export function prepareNpm(source: string): Promise<string> {
  return once("npm", [readSources(source)], async (folder) => {
    await cp(source, folder, { recursive: true });
    await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: folder });
  });
}

function onFakeClient(command: string, file: string, handler: string): Runtime {
  return {
    bootstrap: [`/usr/bin/${command}`, `/var/runtime/${file}`],
    handler,
    files: { "/var/runtime": join(root, "test/fakes/runtimes") },
  };
}

/** Makes a folder unless it was made before from the same inputs. The folder gets its name when it is complete. */
async function once(
  name: string,
  inputs: readonly unknown[],
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const key = JSON.stringify([inputs, String(make)]);
  const folder = join(cache, `${name}-${createHash("sha256").update(key).digest("hex").slice(0, 16)}`);
  const made = making.get(folder) ?? makeFolder(folder, make);
  making.set(folder, made);
  return made;
}
const making = new Map<string, Promise<string>>();

async function makeFolder(folder: string, make: (folder: string) => Promise<void>): Promise<string> {
  if (existsSync(folder)) return folder;
  await mkdir(cache, { recursive: true });
  const part = await mkdtemp(join(cache, "part-"));
  try {
    await make(part);
    await run("chmod", ["a+rx", part]); // `mkdtemp` makes it readable for root only, and Lambda's user must read it
    await rename(part, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error; // otherwise another run was faster
    });
  } finally {
    await rm(part, { recursive: true, force: true });
  }
  return folder;
}

/** Reads every file of a folder, by name. */
function readSources(source: string): Record<string, string> {
  const entries = readdirSync(source, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const files = entries.map(({ parentPath, name }) => join(parentPath, name)).sort();
  return Object.fromEntries(files.map((file) => [relative(root, file), readFileSync(file, "utf8")]));
}

/** Unpacks an npm package to `<folder>/package`, without its dependencies, and runs no code of it. */
async function unpack(packageSpec: string, folder: string, members: readonly string[] = []): Promise<void> {
  await mkdir(folder, { recursive: true });
  const tarball = (await run("npm", ["pack", packageSpec, "--silent", "--pack-destination", folder])).trim();
  await run("tar", ["-xzf", join(folder, tarball), "--no-same-owner", "-C", folder, ...members]);
  await rm(join(folder, tarball));
}

interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  return (await promisify(execFile)(command, args, { ...options, maxBuffer: 1e8 })).stdout;
}
