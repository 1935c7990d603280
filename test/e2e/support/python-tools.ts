import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findCounterparts, toPython } from "../../../scripts/setup/end-to-end.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** The folder of python3, aws, sam and cfn-lint. */
export const toPythonBin = (): string => dirname(toPython(findCounterparts()?.venv ?? ""));

/** Runs one of these tools in the repository's root, and returns its output. */
export function runPythonTool(name: string, args: readonly string[], input = ""): string {
  return execFileSync(join(toPythonBin(), name), args, { cwd: root, input, encoding: "utf8" });
}

/** Parses Terraform's language. Returns JSON. */
export const toJsonOfHcl = (hcl: string): string =>
  runPythonTool("python3", ["-c", "import hcl2, json, sys; print(json.dumps(hcl2.load(sys.stdin)))"], hcl);
