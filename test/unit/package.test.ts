/** What package.json promises to npm, and to a person with another Node.js. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { writeTempFile } from "../support/temp-files.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const readJson = (file: string) => JSON.parse(readFileSync(join(root, file), "utf8"));
const { scripts, engines, allowScripts } = readJson("package.json");
const CHECK = "scripts/cli/require-node.cjs";
const OLDEST = /OLDEST = "(.*)"/.exec(readFileSync(join(root, CHECK), "utf8"))?.[1];

describe("package.json", () => {
  it("says of every package with an install script whether npm may run it, so that npm does not warn", () => {
    const packages: Record<string, { hasInstallScript?: boolean }> = readJson("package-lock.json").packages;
    const withScript = Object.entries(packages).filter(
      ([path, { hasInstallScript }]) => path !== "" && hasInstallScript,
    );
    expect(withScript.map(([path]) => path.replace("node_modules/", ""))).toEqual(Object.keys(allowScripts));
  });

  it("has npm refuse an older Node.js than it names", () => {
    expect(engines).toEqual({ node: `>=${OLDEST}` });
    expect(readFileSync(join(root, ".npmrc"), "utf8")).toMatch(/^engine-strict=true$/m);
  });

  it.each(Object.entries<string>(scripts))("checks the version of Node.js first in `npm run %s`", (_name, command) => {
    expect(command.startsWith(`node ${CHECK} && `)).toBe(true);
  });
});

describe("the check of the version of Node.js", () => {
  it.each([
    ["18.20.8", 2, "cross-account-secrets needs Node.js 20.19 or newer; this is 18.20.8\n"],
    ["20.18.3", 2, "cross-account-secrets needs Node.js 20.19 or newer; this is 20.18.3\n"],
    ["20.19.0", 0, ""],
    ["22.0.0", 0, ""],
  ])("with Node.js %s ends with %d and says %j", (version, status, stderr) => {
    // The version of this process replaced: no other Node.js is needed.
    const pretend = writeTempFile(`Object.defineProperty(process.versions, "node", { value: "${version}" });`);
    const result = spawnSync(execPath, ["--require", pretend, CHECK], { cwd: root, encoding: "utf8" });
    expect({ status: result.status, stderr: result.stderr, stdout: result.stdout }).toEqual({
      status,
      stderr,
      stdout: "",
    });
  });
});
