/**
 * Fetches a third party's policy engine: `npx tsx scripts/setup/policy-engine.ts`. The tests use it to evaluate policies.
 *
 * Its licence is the AGPL. So it is a dependency of a separate package, `test/policy-engine/`, and no lock file of the product
 * names it. Only the tests fetch it.
 */
import { join } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { findDependency, installPackage } from "./private-package.ts";

const FOLDER = "test/policy-engine";
const NAME = "@cloud-copilot/iam-simulate";

/** Returns the path to import the engine from, or undefined unless the pinned version is installed. */
export function findPolicyEngine(): string | undefined {
  const installed = findDependency(FOLDER, NAME);
  return installed === undefined ? undefined : join(installed, "dist/esm/index.js");
}

/** Fetches the engine unless it is installed. Fails with one line that gives the reason. */
export async function setUpPolicyEngine(say: (line: string) => void): Promise<void> {
  if (findPolicyEngine() !== undefined) return;
  say(`fetching ${NAME} into ${FOLDER}/`);
  await installPackage(FOLDER);
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  await setUpPolicyEngine(console.log).catch((error: Error) => {
    console.error(`policy engine: ${error.message}`);
    process.exitCode = 1;
  });
}
