/** Packages of their own, below `test/`, for what the product's lock file must not name. Only the tests fetch them. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Returns the folder of a dependency, or undefined unless the version that the package pins is installed. */
export function findDependency(packageFolder: string, name: string): string | undefined {
  const installed = join(root, packageFolder, "node_modules", name);
  if (!existsSync(join(installed, "package.json"))) return undefined;
  const pinned: string = readJson(join(root, packageFolder, "package.json")).dependencies[name];
  return readJson(join(installed, "package.json")).version === pinned ? installed : undefined;
}

/** Installs what the lock file names. Fails with one line that gives the reason. */
export async function installPackage(packageFolder: string): Promise<void> {
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
  try {
    await promisify(execFile)("npm", args, { cwd: join(root, packageFolder) });
  } catch (error) {
    const stderr = String(error instanceof Error && "stderr" in error ? error.stderr : "");
    const reason = /npm error (?!code|syscall|errno)(.*)/.exec(stderr)?.[1] ?? "npm gave no reason";
    throw new Error(`npm ci failed in ${packageFolder}; check the network: ${reason}`);
  }
}

const readJson = (file: string) => JSON.parse(readFileSync(file, "utf8"));
