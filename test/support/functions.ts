import { spawnSync } from "node:child_process";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { toPath as toLambdaPath } from "../fakes/lambda/environment.ts";
import type { RuntimeCommand } from "../fakes/lambda.ts";

const toPath = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

/** A function of `examples/`, and the command with which the fake Lambda runs it. */
export interface ExampleFunction {
  readonly language: string;
  /** The version of the program that runs, or undefined if it is not installed. */
  readonly version: string | undefined;
  readonly runtime: RuntimeCommand;
}

/** The interpreter itself: `python3` on PATH may be a shim of a version manager, and the fake Lambda has another PATH. */
const [python = "python3", pythonVersion] =
  ask("python3", "-c", "import sys, platform; print(sys.executable, platform.python_version(), sep='\\n')") ?? [];

export const exampleFunctions: readonly ExampleFunction[] = [
  {
    language: "Node.js",
    version: process.versions.node,
    runtime: {
      command: execPath,
      arguments: [toPath("test/fakes/runtimes/node.mjs")],
      cwd: toPath("examples/nodejs"),
      handler: "index.handler",
    },
  },
  {
    language: "Python",
    version: pythonVersion,
    runtime: {
      command: python,
      arguments: [toPath("test/fakes/runtimes/python.py")],
      cwd: toPath("examples/python"),
      handler: "app.handler",
    },
  },
  {
    language: "sh and curl",
    version: /\d+(\.\d+)+/.exec(ask("sh", "-c", `PATH=${toLambdaPath("/opt")} curl --version`)?.[0] ?? "")?.[0],
    runtime: { command: toPath("examples/bash/bootstrap"), arguments: [], cwd: toPath("examples/bash") },
  },
];

/** Returns the lines that a command prints, or undefined if it is not installed. */
function ask(command: string, ...args: readonly string[]): string[] | undefined {
  const { status, stdout } = spawnSync(command, args, { encoding: "utf8" });
  return status === 0 ? stdout.trim().split("\n") : undefined;
}
