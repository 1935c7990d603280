/**
 * Fetches a policy engine of others, which the tests ask what a session policy allows: `npx tsx scripts/setup/policy-engine.ts`.
 *
 * It is licensed under the AGPL. So it is a package of its own, `test/policy-engine/`, which no lock file of the product
 * names, and it is fetched by those who run the tests, and only then.
 */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const folder = fileURLToPath(new URL("../../test/policy-engine", import.meta.url));
const name = "@cloud-copilot/iam-simulate";

/** Where the engine can be imported from, if it is there in the version that is asked for. */
export function findPolicyEngine(): string | undefined {
  const installed = join(folder, "node_modules", name);
  if (!existsSync(join(installed, "package.json"))) return undefined;
  const wanted: string = readJson(join(folder, "package.json")).dependencies[name];
  return readJson(join(installed, "package.json")).version === wanted
    ? join(installed, "dist/esm/index.js")
    : undefined;
}

/** Fetches the engine unless it is in place. Fails with one line that says why it cannot. */
export async function setUpPolicyEngine(say: (line: string) => void): Promise<void> {
  if (findPolicyEngine() !== undefined) return;
  say(`fetching ${name} into test/policy-engine/`);
  try {
    await promisify(execFile)("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: folder });
  } catch (error) {
    const stderr = String(error instanceof Error && "stderr" in error ? error.stderr : "");
    const reason = /npm error (?!code)(.*)/.exec(stderr)?.[1] ?? "npm said no more";
    throw new Error(`npm ci failed in test/policy-engine, is there a network? ${reason}`);
  }
}

const readJson = (file: string) => JSON.parse(readFileSync(file, "utf8"));

if (argv[1] === fileURLToPath(import.meta.url)) {
  await setUpPolicyEngine(console.log).catch((error: Error) => {
    console.error(`policy engine: ${error.message}`);
    process.exitCode = 1;
  });
}
