import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { findCounterparts, toPython } from "../../scripts/e2e-setup.ts";
import { unavailable } from "./support/availability.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

describe.skipIf(unavailable)("template.yaml", () => {
  it("has nothing that cfn-lint complains of", () => {
    const cfnLint = join(dirname(toPython(findCounterparts()?.venv ?? "")), "cfn-lint");
    expect(execFileSync(cfnLint, ["template.yaml"], { cwd: root, encoding: "utf8" })).toBe("");
  });
});
