/** `npm run mutation`: see HELP. */
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { arch, argv, execPath, platform, versions } from "node:process";
import { fileURLToPath } from "node:url";
import { carriedNode, downloadNode, NODE_VERSION } from "../../scripts/build/node-binary.ts";
import { parseOptions } from "../../scripts/cli/options.ts";
import { CommandError, USAGE } from "../../scripts/cli/world.ts";
import { findDependency, installPackage } from "../../scripts/setup/private-package.ts";
import { runCommand } from "../support/command-line.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const FOLDER = "test/mutation";
const NAME = "@stryker-mutator/core";
const DEFAULT_PATHS = [
  ...["extension/cache", "extension/failure", "extension/http"],
  ...["extension/aws/assume-role.ts", "extension/aws/session.ts"],
];

const HELP = `Changes the program in one place at a time, and runs the unit tests on each changed program: StrykerJS.
A change that no test notices has survived.

  npm run mutation -- [<file, folder or glob> ...]

  --help  prints this text

Without paths: ${DEFAULT_PATHS.slice(0, -1).join(", ")}
and ${DEFAULT_PATHS.at(-1)}. A file may end in a range of lines: extension/http/server.ts:10-20.

Prints each change that has survived, and a line of figures for each file. The HTML report is .cache/mutation/index.html.
Fetches StrykerJS into test/mutation/, and Node.js ${NODE_VERSION} into .cache/ if this one is too old. Ends with 1 if it cannot
run, and with 2 for wrong arguments.`;

await runCommand("mutation", async () => {
  const { values, positionals } = parseOptions(argv.slice(2), { help: { type: "boolean" } }, true);
  if (values.help === true) return console.log(HELP);
  const patterns = (positionals.length > 0 ? positionals : DEFAULT_PATHS).map(toPattern);
  const node = await findNode();
  const stryker = await findStryker();
  const config = join(FOLDER, "stryker.config.json");
  const args = [join(stryker, "bin/stryker.js"), "run", config, "--mutate", patterns.join()];
  process.exitCode = spawnSync(node, args, { cwd: root, stdio: "inherit" }).status ?? 1;
});

function toPattern(path: string): string {
  const isGlob = /[*?[\]{}!]/.test(path);
  const file = join(root, path.replace(/:\d+(:\d+)?-\d+(:\d+)?$/, ""));
  if (!isGlob && !existsSync(file)) throw new CommandError(USAGE, `there is no ${path} in this repository`);
  return !isGlob && statSync(file).isDirectory() ? join(path, "**/*.ts") : path;
}

/** Returns the path of a Node.js that StrykerJS's parser runs on: https://github.com/babel/babel, `engines`. */
async function findNode(): Promise<string> {
  const [major = 0, minor = 0] = versions.node.split(".").map(Number);
  if (major === 22 ? minor >= 18 : major > 24 || (major === 24 && minor >= 11)) return execPath;
  const architecture = ({ x64: "x86_64", arm64: "arm64" } as const)[String(arch)];
  const need = `needs Node.js 22.18, or 24.11 or newer; this is ${versions.node}`;
  if (platform !== "linux" || architecture === undefined) throw new CommandError(1, need);
  const folder = await downloadNode(carriedNode[architecture], join(root, ".cache")).catch((error: Error) => {
    throw new CommandError(1, `${need}, and ${error.message}; check the network`);
  });
  return join(folder, "bin/node");
}

async function findStryker(): Promise<string> {
  const installed = findDependency(FOLDER, NAME);
  if (installed !== undefined) return installed;
  console.log(`fetching ${NAME} into ${FOLDER}/`);
  await installPackage(FOLDER).catch((error: Error) => {
    throw new CommandError(1, error.message);
  });
  return findStryker();
}
