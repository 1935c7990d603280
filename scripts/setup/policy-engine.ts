/**
 * Fetches a third party's policy engine: `npx tsx scripts/setup/policy-engine.ts`. The tests use it to evaluate policies.
 *
 * Its licence is the AGPL. So it is a dependency of a separate package, `test/policy-engine/`, and no lock file of the product
 * names it. Only the tests fetch it.
 */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const folder = fileURLToPath(new URL("../../test/policy-engine", import.meta.url));
const name = "@cloud-copilot/iam-simulate";

/** Returns the path to import the engine from, or undefined unless the pinned version is installed. */
export function findPolicyEngine(): string | undefined {
  const installed = join(folder, "node_modules", name);
  if (!existsSync(join(installed, "package.json"))) return undefined;
  const wanted: string = readJson(join(folder, "package.json")).dependencies[name];
  return readJson(join(installed, "package.json")).version === wanted
    ? join(installed, "dist/esm/index.js")
    : undefined;
}

/** Fetches the engine unless it is installed. Fails with one line that gives the reason. */
export async function setUpPolicyEngine(say: (line: string) => void): Promise<void> {
  if (findPolicyEngine() !== undefined) return;
  say(`fetching ${name} into test/policy-engine/`);
  try {
    await promisify(execFile)("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: folder });
  } catch (error) {
    const stderr = String(error instanceof Error && "stderr" in error ? error.stderr : "");
    const reason = /npm error (?!code)(.*)/.exec(stderr)?.[1] ?? "npm gave no reason";
    throw new Error(`npm ci failed in test/policy-engine; check the network: ${reason}`);
  }
}

const readJson = (file: string) => JSON.parse(readFileSync(file, "utf8"));

if (argv[1] === fileURLToPath(import.meta.url)) {
  await setUpPolicyEngine(console.log).catch((error: Error) => {
    console.error(`policy engine: ${error.message}`);
    process.exitCode = 1;
  });
}
