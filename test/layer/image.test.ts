import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { readVersion, toOpt } from "../../scripts/build/build.ts";
import {
  type LayerName,
  layerNames,
  layers,
  RUNTIMES_LIMIT,
  readManifest,
  toZipName,
} from "../../scripts/build/layers.ts";
import { NODE_VERSION } from "../../scripts/build/node-binary.ts";
import { zipFolder } from "../../scripts/build/zip.ts";
import { readModes } from "../support/unzip.ts";

const dist = join(toOpt("nodejs"), "..");

/**
 * The size limits of a layer, in MB of 10^6 bytes. Lambda allows 250 MB, unzipped, for a function and all its layers, and 50 MB
 * zipped in a direct upload. An untrimmed Node makes a zip of 43.5 MB.
 */
const limitsMb: Readonly<Record<LayerName, { readonly zipped: number; readonly unzipped: number }>> = {
  nodejs: { zipped: 0.5, unzipped: 2 },
  x86_64: { zipped: 34, unzipped: 120 },
  arm64: { zipped: 34, unzipped: 120 },
};

describe.each(layerNames)("the %s layer", (layer) => {
  const opt = toOpt(layer);
  const file = join(dist, toZipName(layer));
  const readZip = () => readFileSync(file);
  const readText = (name: string) => readFileSync(join(opt, "cross-account-secrets", name), "utf8");
  const test = it.skipIf(!existsSync(file));

  test("has one file in extensions, because Lambda starts every file there, and the rest elsewhere", () => {
    expect(readdirSync(join(opt, "extensions"))).toEqual(["cross-account-secrets"]);
    expect(readdirSync(opt).sort()).toEqual(["cross-account-secrets", "extensions"]);
  });

  test("is zipped completely, with the same executable files", () => {
    const zip = readZip();
    const modes = readModes(zip);
    for (const [name, content] of Object.entries(unzipSync(zip))) {
      expect(Buffer.from(content).equals(readFileSync(join(opt, name)))).toBe(true);
      const isExecutable = (statSync(join(opt, name)).mode & 0o100) !== 0;
      expect([name, modes.get(name)]).toEqual([name, isExecutable ? 0o100755 : 0o100644]);
    }
    expect(modes.get("extensions/cross-account-secrets")).toBe(0o100755);
    expect(modes.get("cross-account-secrets/exec-wrapper")).toBe(0o100755);
    expect(modes.has("cross-account-secrets/lib/ld.so")).toBe(layer !== "nodejs");
  });

  test("matches the manifest, and is within its size limit", async () => {
    const entry = (await readManifest(dist)).find(({ name }) => name === layer);
    const zip = readZip();
    const sizes = Object.values(unzipSync(zip)).map((content) => content.length);
    expect(entry).toEqual({
      name: layer,
      version: await readVersion(),
      file: toZipName(layer),
      sha256: createHash("sha256").update(zip).digest("hex"),
      zippedBytes: zip.length,
      unzippedBytes: sizes.reduce((sum, size) => sum + size, 0),
      architectures: layers[layer].architectures,
      compatibleRuntimes: layers[layer].runtimes,
      nodeVersion: layer === "nodejs" ? null : NODE_VERSION,
    });
    expect(entry?.compatibleRuntimes.length).toBeLessThanOrEqual(RUNTIMES_LIMIT);
    expect(zip.length / 1e6).toBeLessThanOrEqual(limitsMb[layer].zipped);
    expect((entry?.unzippedBytes ?? Number.NaN) / 1e6).toBeLessThanOrEqual(limitsMb[layer].unzipped);
  });

  const carried = ["Node.js", "libc6-", "libgcc-s1-", "libstdc++6-"];
  test("lists all its components in the bill of materials and in the licence notices", () => {
    const sbom: { components: { name: string; version: string; purl: string }[] } = JSON.parse(
      readText("sbom.cdx.json"),
    );
    const notices = readText("THIRD-PARTY-NOTICES");
    for (const { name, version, purl } of sbom.components) {
      expect(notices).toContain(`${name} ${version} (`);
      expect(purl).toMatch(/^pkg:(npm|deb|github|generic)\//);
      expect(purl).toContain(version);
    }
    const names = sbom.components.map(({ name }) => name);
    expect(new Set(sbom.components.map(({ purl }) => purl)).size).toBe(names.length);
    expect(names).toEqual(expect.arrayContaining(["@aws-sdk/client-sts", "@aws-sdk/client-secrets-manager", "musl"]));
    for (const start of carried) {
      expect([start, names.some((name) => name.startsWith(start))]).toEqual([start, layer !== "nodejs"]);
    }
    expect(notices.includes("GNU LESSER GENERAL PUBLIC LICENSE\n")).toBe(layer !== "nodejs");
  });

  test("has no path of this machine in its files", () => {
    for (const name of readdirSync(join(opt, "cross-account-secrets")).filter((name) =>
      statSync(join(opt, "cross-account-secrets", name)).isFile(),
    )) {
      expect([name, readFileSync(join(opt, "cross-account-secrets", name), "latin1").includes(dist)]).toEqual([
        name,
        false,
      ]);
    }
  });
});

it("a folder is zipped to the same bytes in every time zone", async () => {
  const zone = process.env.TZ;
  const zips: Buffer[] = [];
  for (const TZ of ["Pacific/Kiritimati", "America/Los_Angeles"]) {
    process.env.TZ = TZ;
    zips.push(Buffer.from(await zipFolder(toOpt("nodejs"))));
  }
  process.env.TZ = zone;
  expect(zips[0]?.equals(zips[1] ?? Buffer.alloc(0))).toBe(true);
});
