/** Starts an extension of the bench as Lambda would, and takes the time: the built layer, or the floor on the same Node.js. */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { createDeferred } from "../fakes/lambda/deferred.ts";
import { startProcess } from "../fakes/lambda/process.ts";
import { findFreePort } from "../support/free-port.ts";
import type { Aws } from "./aws.ts";
import { startLambda } from "./lambda.ts";

export const SECRET_NAME = "my-shared-secret";
export const ROLE_ARN = "arn:aws:iam::111111111111:role/SecretReader";
export const TOKEN = "token-of-the-function";

export interface Extension {
  /** Of the extension's local interface. */
  readonly port: number;
  readonly pid: number;
  readonly registerMs: number;
  readonly readyMs: number;
  /** Ends it without a word. */
  close(): Promise<void>;
}

/** What starts it: a command and its arguments. */
export type Command = readonly [string, ...string[]];

/** What Lambda starts. */
export const toLayerCommand = (opt: string): Command => [join(opt, "extensions/cross-account-secrets")];

export const floorProgram = fileURLToPath(new URL("programs/floor.cjs", import.meta.url));

/** The Node.js that an image of /opt runs on, as its launcher starts it, but without any flag. */
export function toNodeCommand(opt: string): Command {
  const carried = join(opt, "cross-account-secrets");
  const [node, libraries] = [join(carried, "bin/node"), join(carried, "lib")];
  if (!existsSync(node)) return [execPath];
  const loader = join(libraries, "ld.so");
  return existsSync(loader) ? [loader, "--library-path", libraries, node] : [node];
}

/** What a function has in its environment. */
export function toVariables(options: { aws: Aws; port: number }): Record<string, string> {
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

/** Settles when it is ready: when it has asked for its first event. */
export async function startExtension(options: {
  readonly command: Command;
  readonly aws: Aws;
  readonly variables?: Readonly<Record<string, string>>;
  /** The line that the command prints when the clock is to start; else it starts with the command. */
  readonly startSign?: string;
  /** Is told its port when Lambda would start the function. */
  readonly onRegistered?: (port: number) => void;
}): Promise<Extension> {
  const [lambda, port, folder] = await Promise.all([
    startLambda(),
    findFreePort(),
    mkdtemp(join(tmpdir(), "bench-")), // an extension that finds its own mark in /tmp is not in its first init
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
  ended.catch(() => {}); // as it does when it is closed
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

/** Of the programs that are no extension: settles when it has printed its sign, or at once. */
export async function startProgram(options: {
  readonly command: Command;
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
  shown.promise.catch(() => {}); // as it does when it is closed
  if (sign !== undefined) await shown.promise;
  return { pid: running.pid ?? 0, close };
}
