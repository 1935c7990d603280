/** The npm package: packed in a copy of this repository, and installed in an empty folder. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const folder = mkdtempSync(join(tmpdir(), "package-"));
const [copy, installed] = [join(folder, "copy"), join(folder, "installed")];
const SET_UP_MS = 120_000;

function call(cwd: string, command: string, ...args: string[]) {
  // Offline: the package needs nothing from a registry.
  const offline = { npm_config_offline: "true", npm_config_cache: join(folder, "npm") };
  const env = { PATH: process.env.PATH, HOME: folder, ...offline };
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: "utf8" });
  return { status, stdout, stderr };
}

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}
let packed: Packed;

beforeAll(() => {
  mkdirSync(copy);
  mkdirSync(installed);
  const settings = ["package.json", "package-lock.json", "tsconfig.json"];
  for (const source of ["extension", "scripts", "LICENSE", "README.md", ...settings])
    cpSync(join(root, source), join(copy, source), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  const pack = call(copy, "npm", "pack", "--json", "--silent", "--pack-destination", folder);
  expect(pack).toMatchObject({ status: 0 });
  // The build prints lines before the JSON.
  [packed] = JSON.parse(pack.stdout.slice(pack.stdout.indexOf("[\n")));
  expect(call(installed, "npm", "install", join(folder, packed.filename))).toMatchObject({ status: 0 });
}, SET_UP_MS);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the npm package", () => {
  it("holds the program, its licences and bill of materials, and nothing else", () => {
    expect(packed.files.map(({ path }) => path).sort()).toEqual([
      "LICENSE",
      "README.md",
      "dist/cli/THIRD-PARTY-NOTICES",
      "dist/cli/aws-chain.cjs",
      "dist/cli/aws-identity.cjs",
      "dist/cli/aws-sdk.cjs",
      "dist/cli/aws-ssm.cjs",
      "dist/cli/cli.cjs",
      "dist/cli/sbom.cdx.json",
      "package.json",
    ]);
  });

  it("needs no other package: npm installs it alone", () => {
    expect(readdirSync(join(installed, "node_modules")).filter((name) => !name.startsWith("."))).toEqual([
      "cross-account-secrets",
    ]);
  });

  it("names each bundled package with its licence", () => {
    const program = join(installed, "node_modules/cross-account-secrets/dist/cli");
    const { components } = JSON.parse(readFileSync(join(program, "sbom.cdx.json"), "utf8"));
    const notices = readFileSync(join(program, "THIRD-PARTY-NOTICES"), "utf8");
    expect(components.map(({ name }: { name: string }) => name)).toContain("@aws-sdk/credential-provider-node");
    for (const { name, version, licenses } of components) {
      expect(notices).toContain(`${name} ${version} (${licenses[0].expression})`);
    }
  });

  it("has the manifest of a public package without dependencies", () => {
    const manifest = JSON.parse(
      readFileSync(join(installed, "node_modules/cross-account-secrets/package.json"), "utf8"),
    );
    expect(manifest).toMatchObject({ license: "Apache-2.0", engines: { node: ">=20.19" } });
    expect(manifest).not.toHaveProperty("private");
    expect(manifest).not.toHaveProperty("dependencies");
  });
});

describe("npx cross-account-secrets", () => {
  const npx = (...args: string[]) => call(installed, "npx", "cross-account-secrets", ...args);

  it("--version prints the version", () => {
    expect(npx("--version")).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
  });

  it("--help lists the commands, without colours if stdout is no terminal", () => {
    const { status, stdout, stderr } = npx("--help");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^ {2}serve +serves secrets/m);
    expect(stdout).not.toContain("\u001b");
  });

  it("suggests the right word for a misspelled command or option", () => {
    expect(npx("srve")).toEqual({
      status: 2,
      stdout: "",
      stderr: 'cross-account-secrets: no command is called "srve"; did you mean serve?\n',
    });
    expect(npx("serve", "--regoin", "eu-west-1")).toEqual({
      status: 2,
      stdout: "",
      stderr: "cross-account-secrets serve: unknown option '--regoin'; did you mean --region?\n",
    });
  });

  it("also runs in the repository itself, where the package is not installed", () => {
    expect(call(copy, "npx", "cross-account-secrets", "--version")).toEqual({
      status: 0,
      stdout: `${version}\n`,
      stderr: "",
    });
  });

  it("prints --help and --version without any file of the AWS SDK", () => {
    const alone = join(folder, "alone.cjs");
    cpSync(join(installed, "node_modules/cross-account-secrets/dist/cli/cli.cjs"), alone);
    for (const args of [["--help"], ["doctor", "--help"], ["serve", "--help"], ["--version"]]) {
      expect([args, call(folder, process.execPath, alone, ...args).status]).toEqual([args, 0]);
    }
    expect(readFileSync(alone).length).toBeLessThan(200_000);
  });

  it("ends without an error if the reader of its output closes the pipe", () => {
    const bin = join(installed, "node_modules/.bin/cross-account-secrets");
    const { stderr } = call(installed, "/bin/sh", "-c", `'${bin}' serve --help | head -1`);
    expect(stderr).toBe("");
  });
});
