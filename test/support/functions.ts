import { spawnSync } from "node:child_process";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import type { RuntimeCommand } from "../fakes/lambda.ts";

const toPath = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

/** A function of `examples/`, and the command with which the fake Lambda runs it. */
export interface ExampleFunction {
  readonly language: string;
  /** The language's version on this machine, or undefined if it is not installed. */
  readonly version: string | undefined;
  readonly runtime: RuntimeCommand;
}

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
    version: findVersion("python3"),
    runtime: {
      command: "python3",
      arguments: [toPath("test/fakes/runtimes/python.py")],
      cwd: toPath("examples/python"),
      handler: "app.handler",
    },
  },
  {
    language: "sh and curl",
    version: findVersion("curl"),
    runtime: { command: toPath("examples/bash/bootstrap"), arguments: [], cwd: toPath("examples/bash") },
  },
];

function findVersion(command: string): string | undefined {
  const { status, stdout } = spawnSync(command, ["--version"], { encoding: "utf8" });
  return status === 0 ? (/\d+(\.\d+)+/.exec(stdout)?.[0] ?? "") : undefined;
}
