/** `npm run build`, in a copy of this repository. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { layerNames, toZipName } from "../../scripts/build/layers.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const SOURCES = ["extension", "layer", "scripts", "LICENSE", "package.json", "package-lock.json", "tsconfig.json"];
/** A self-contained layer is nearly all Node.js, which takes long to zip. */
const TIMEOUT_MS = 600_000;

/** Copies the repository into a folder of this name, with the cache of downloads unless it `isFresh`. */
function copyRepository(name: string, { isFresh = false } = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "build-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const copy = join(folder, name);
  for (const source of SOURCES) cpSync(join(root, source), join(copy, source), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  mkdirSync(join(root, ".cache"), { recursive: true });
  if (!isFresh) symlinkSync(join(root, ".cache"), join(copy, ".cache"));
  return copy;
}

/** Makes files like those of a checkout on Windows: with CR LF in texts, and without a mode that says what is a program. */
function setLineEndsAndModes(path: string): void {
  if (statSync(path).isDirectory()) {
    for (const name of readdirSync(path)) setLineEndsAndModes(join(path, name));
    return;
  }
  const bytes = readFileSync(path);
  if (!bytes.includes(0)) writeFileSync(path, bytes.toString("utf8").replaceAll("\n", "\r\n"));
  chmodSync(path, 0o600);
  utimesSync(path, 1_000_000_000, 1_000_000_000);
}

function runBuild(
  copy: string,
  options: { args?: readonly string[]; umask?: string; env?: Record<string, string> } = {},
) {
  const { args = [], umask = "022", env = {} } = options;
  const command = [execPath, "node_modules/tsx/dist/cli.mjs", "scripts/build/build.ts", ...args];
  const variables = { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: tmpdir(), ...env };
  const shell = ["-c", `umask ${umask}; exec "$@"`, "sh", ...command];
  const { status, stdout, stderr } = spawnSync("/bin/sh", shell, { cwd: copy, env: variables, encoding: "utf8" });
  return { status, stdout, stderr };
}

describe("the build", () => {
  // The self-contained layers take a minute. Only CI builds them: its machines have the tools.
  const names = process.env.CI === "true" ? layerNames : ["nodejs"];

  it("gives the same bytes in a second build with another folder, time zone, language and umask", {
    timeout: TIMEOUT_MS,
  }, () => {
    const [one, other] = [copyRepository("a"), copyRepository("another place/with a longer path")];
    const first = runBuild(one, { args: names, env: { TZ: "Pacific/Kiritimati" } });
    const second = runBuild(other, {
      args: names,
      umask: "077",
      env: { TZ: "America/Los_Angeles", LANG: "tr_TR.UTF-8" },
    });
    expect([first.stderr, second.stderr]).toEqual(["", ""]);
    for (const file of ["manifest.json", ...names.map((name) => `cross-account-secrets-${name}.zip`)]) {
      const read = (copy: string) => readFileSync(join(copy, "dist", file));
      expect([file, read(one).equals(read(other))]).toEqual([file, true]);
    }
    const modeOf = (file: string) => (statSync(join(other, "dist/nodejs", file)).mode & 0o777).toString(8);
    const files = ["extensions", "extensions/cross-account-secrets", "cross-account-secrets/main.cjs"];
    expect(files.map(modeOf)).toEqual(["755", "755", "644"]);
  });

  it("gives the same bytes from a checkout with other line ends and modes", { timeout: TIMEOUT_MS }, () => {
    const [plain, other] = [copyRepository("plain"), copyRepository("other")];
    for (const source of SOURCES) setLineEndsAndModes(join(other, source));
    const first = runBuild(plain, { args: ["cli", ...names] });
    const second = runBuild(other, { args: ["cli", ...names], umask: "077" });
    expect([first.stderr, second.stderr]).toEqual(["", ""]);
    const files = readdirSync(join(plain, "dist"), { recursive: true, withFileTypes: true })
      .map((entry) => ({ entry, path: join(entry.parentPath, entry.name).slice(plain.length + 1) }))
      .sort((a, b) => (a.path < b.path ? -1 : 1));
    expect(files.length).toBeGreaterThan(10);
    const digest = (copy: string) =>
      files.map(({ entry, path }) => {
        const file = join(copy, path);
        const mode = (statSync(file).mode & 0o777).toString(8);
        const content = entry.isFile() ? createHash("sha256").update(readFileSync(file)).digest("hex") : "";
        return [path, path.split("/").length > 2 ? mode : "", content].join(" ");
      });
    expect(digest(other)).toEqual(digest(plain));
  });

  describe("on a machine without Debian's packages", () => {
    const env = { PATH: "/nonexistent" };

    it("leaves out the self-contained layers and says why", () => {
      const copy = copyRepository("main", { isFresh: true });
      const { status, stdout, stderr } = runBuild(copy, { env });
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(stdout).toMatch(
        /^left out: x86_64 and arm64: Debian 12's packages are needed, but apt-get is missing; --libraries DIR /m,
      );
      const { layers } = JSON.parse(readFileSync(join(copy, "dist/manifest.json"), "utf8"));
      expect(layers.map(({ file }: { file: string }) => file)).toEqual([toZipName("nodejs")]);
    });

    it("fails if one of the self-contained layers is named", () => {
      const { status, stderr } = runBuild(copyRepository("main", { isFresh: true }), { args: ["arm64"], env });
      expect(status).toBe(2);
      expect(stderr).toBe("build: Debian 12's packages are needed, but apt-get is missing\n");
    });
  });

  it.each([
    [["arm32"], /^build: "arm32" cannot be built; expected cli, nodejs, x86_64, arm64\n$/],
    [["--node", "LICENSE"], /^build: LICENSE is not a Node.js for Linux on x86_64 or arm64\n$/],
    [["--node", "layer/launcher-arm64"], /^build: layer\/launcher-arm64 is not a Node.js for Linux/],
    [["--libraries", "layer"], /^build: layer has neither ld-linux-x86-64.so.2 nor ld-linux-aarch64.so.1\n$/],
    [["--what"], /^build: unknown option '--what'; --help lists the options\n$/],
  ])("fails with a reason and status 2 for the arguments %j", (args, expected) => {
    const { status, stderr } = runBuild(copyRepository("main"), { args });
    expect(stderr).toMatch(expected);
    expect(status).toBe(2);
  });
});
