/** Starts what is measured: the built layers as Lambda would, the floor on the same Node.js, other programs, and AWS's agent. */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { arch, execPath, platform } from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { toOpt } from "../../scripts/build/build.ts";
import type { Architecture } from "../../scripts/build/elf.ts";
import { type LayerName, layerNames, layers } from "../../scripts/build/layers.ts";
import { createDeferred } from "../fakes/lambda/deferred.ts";
import { startProcess } from "../fakes/lambda/process.ts";
import { findFreePort } from "../support/free-port.ts";
import type { BenchmarkAws } from "./aws.ts";

export const SECRET_NAME = "my-shared-secret";
export const ROLE_ARN = "arn:aws:iam::111111111111:role/SecretReader";
export const TOKEN = "token-of-the-function";

/** A process that answers reads. */
export interface MeasuredServer {
  readonly port: number;
  readonly pid: number;
  /** Ends it by SIGKILL. */
  close(): Promise<void>;
}

export interface MeasuredExtension extends MeasuredServer {
  /** The times from the start to the registration, and to the first request for an event. */
  readonly registerMs: number;
  readonly readyMs: number;
}

/** A command and its arguments. */
export type CommandLine = readonly [string, ...string[]];

/** The command that Lambda starts. */
export const toLayerCommand = (opt: string): CommandLine => [join(opt, "extensions/cross-account-secrets")];

export const floorProgram = fileURLToPath(new URL("programs/floor.cjs", import.meta.url));

/** The Node.js of an image of /opt, as its launcher starts it, but without any flag. */
export function toNodeCommand(opt: string): CommandLine {
  const carried = join(opt, "cross-account-secrets");
  const [node, libraries] = [join(carried, "bin/node"), join(carried, "lib")];
  if (!existsSync(node)) return [execPath];
  const loader = join(libraries, "ld.so");
  return existsSync(loader) ? [loader, "--library-path", libraries, node] : [node];
}

/** The variables of a function. */
export function toVariables(options: { aws: BenchmarkAws; port: number }): Record<string, string> {
  const { aws, port } = options;
  return {
    AWS_ACCESS_KEY_ID: "ASIAEXAMPLE",
    AWS_SECRET_ACCESS_KEY: "secret",
    AWS_SESSION_TOKEN: TOKEN,
    AWS_REGION: "eu-west-1",
    AWS_DEFAULT_REGION: "eu-west-1",
    AWS_ENDPOINT_URL_STS: aws.url,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: aws.url,
    SECRET_NAME,
    CROSS_ACCOUNT_SECRETS_ROLE_ARN: ROLE_ARN,
    CROSS_ACCOUNT_SECRETS_SECRET_IDS: SECRET_NAME,
    CROSS_ACCOUNT_SECRETS_HTTP_PORT: String(port),
  };
}

/** Settles when the extension is ready: when it has asked for its first event. */
export async function startExtension(options: {
  readonly command: CommandLine;
  readonly aws: BenchmarkAws;
  readonly variables?: Readonly<Record<string, string>>;
  /** The line on which the clock starts. Default: the clock starts with the command. */
  readonly startSign?: string;
  /** Called when Lambda would start the function. */
  readonly onRegistered?: (port: number) => void;
}): Promise<MeasuredExtension> {
  const [lambda, port, folder] = await Promise.all([
    startLambda(),
    findFreePort(),
    mkdtemp(join(tmpdir(), "bench-")), // an extension that finds its own file in /tmp is not in its first init
  ]);
  const [command, ...args] = options.command;
  const lines: string[] = [];
  let startedAtMs = performance.now();
  const running = startProcess({
    command,
    arguments: args,
    cwd: folder,
    environment: {
      PATH: dirname(execPath),
      LANG: "en_US.UTF-8",
      TZ: ":UTC",
      TMPDIR: folder,
      AWS_LAMBDA_FUNCTION_NAME: "function",
      AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
      AWS_LAMBDA_RUNTIME_API: lambda.address,
      ...toVariables({ aws: options.aws, port }),
      ...options.variables,
    },
    onLine: (_, line) => {
      lines.push(line);
      if (line === options.startSign) startedAtMs = performance.now();
    },
  });
  const close = async () => {
    running.signal("SIGKILL");
    await running.ended;
    lambda.close();
    await rm(folder, { recursive: true, force: true });
  };
  const ended = running.ended.then(({ exitCode, signal, launchError }) => {
    const reason = launchError ?? signal ?? exitCode;
    throw new Error([`${command} ended before it was ready (${reason})`, ...lines].join("\n"));
  });
  ended.catch(() => {}); // it also ends when it is closed
  void lambda.registeredAtMs.then(() => options.onRegistered?.(port));
  const readyAtMs = await Promise.race([lambda.readyAtMs, ended]);
  return {
    port,
    pid: running.pid ?? 0,
    registerMs: (await lambda.registeredAtMs) - startedAtMs,
    readyMs: readyAtMs - startedAtMs,
    close,
  };
}

/** Starts a program that is not an extension. Settles when it has printed the sign, or at once if there is none. */
export async function startProgram(options: {
  readonly command: CommandLine;
  readonly environment?: Readonly<Record<string, string>>;
  readonly sign?: string;
  readonly cwd?: string;
}): Promise<{ readonly pid: number; close(): Promise<void> }> {
  const { command, environment = {}, sign, cwd = tmpdir() } = options;
  const [file, ...args] = command;
  const shown = createDeferred<void>();
  const running = startProcess({
    command: file,
    arguments: args,
    cwd,
    environment,
    onLine: (_, line) => line === sign && shown.resolve(),
  });
  const close = async () => {
    running.signal("SIGKILL");
    await running.ended;
  };
  void running.ended.then(() => shown.reject(new Error(`${command.join(" ")} ended`)));
  shown.promise.catch(() => {}); // it also ends when it is closed
  if (sign !== undefined) await shown.promise;
  return { pid: running.pid ?? 0, close };
}

interface InitOfLambda {
  /** For `AWS_LAMBDA_RUNTIME_API`. */
  readonly address: string;
  /** When the extension registered, and when it first asked for an event, by `performance.now()`. */
  readonly registeredAtMs: Promise<number>;
  readonly readyAtMs: Promise<number>;
  close(): void;
}

/** The part of Lambda that an extension uses in init. */
async function startLambda(): Promise<InitOfLambda> {
  const registered = createDeferred<number>();
  const ready = createDeferred<number>();
  const server = createServer((request, response) => {
    if (request.url?.endsWith("/event/next")) return ready.resolve(performance.now()); // there is no event
    registered.resolve(performance.now());
    request.resume();
    response.setHeader("Lambda-Extension-Identifier", "11111111-2222-3333-4444-555555555555");
    response.end('{"functionName":"function","functionVersion":"$LATEST","handler":"index.handler"}');
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    registeredAtMs: registered.promise,
    readyAtMs: ready.promise,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Starts AWS's agent, aws-workload-credentials-provider. Settles when it answers a ping. Settings that are not given have their defaults. */
export async function startAgent(
  program: string,
  aws: BenchmarkAws,
  settings: Record<string, number> = {},
): Promise<MeasuredServer> {
  const [port, cwd] = await Promise.all([findFreePort(), mkdtemp(join(tmpdir(), "bench-agent-"))]); // the agent writes a log there
  const config = join(cwd, "agent.toml");
  const lines = Object.entries({ http_port: port, ...settings }).map(([name, value]) => `${name} = ${value}\n`);
  await writeFile(config, lines.join(""));
  const command = [program, "sm", "start", "--config", config] as const;
  const running = await startProgram({ command, cwd, environment: { HOME: cwd, ...toVariables({ aws, port }) } });
  const close = async () => {
    await running.close();
    await rm(cwd, { recursive: true, force: true });
  };
  for (let leftMs = 5_000; ; leftMs -= 10) {
    const answer = await fetch(`http://127.0.0.1:${port}/ping`).catch(() => undefined);
    if (answer?.ok) return { port, pid: running.pid, close };
    if (leftMs > 0) await wait(10);
    else {
      await close();
      throw new Error(`${program} does not answer a ping`);
    }
  }
}

const own: Architecture | undefined = platform !== "linux" ? undefined : arch === "x64" ? "x86_64" : "arm64";

/** The built layers that this machine can run. */
export const findLayers = (): readonly LayerName[] =>
  layerNames
    .filter((name) => layers[name].carries === undefined || layers[name].carries === own)
    .filter((name) => existsSync(join(toOpt(name), "extensions")));

export interface MeasuredLayer {
  readonly layer: string;
  readonly floor: string;
  readonly commands: { readonly layer: CommandLine; readonly floor: CommandLine };
}

/** A layer, and the floor (the least that an extension does) on the same Node.js. */
export function toMeasuredLayer(name: LayerName): MeasuredLayer {
  const opt = toOpt(name);
  return {
    layer: `${name} layer`,
    floor: `floor, ${layers[name].carries === undefined ? "Node.js of this machine" : "carried Node.js"}`,
    commands: { layer: toLayerCommand(opt), floor: [...toNodeCommand(opt), floorProgram] },
  };
}
