import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { type LayerName, toOpt } from "../../scripts/build.ts";
import { zipFolder } from "../../scripts/zip.ts";

const layers: readonly LayerName[] =
  process.platform === "linux" && process.arch === "x64" ? ["nodejs", "x86_64"] : ["nodejs"];

describe.each(layers)("the %s layer", (layer) => {
  const opt = toOpt(layer);
  const zip = readFileSync(join(opt, `../cross-account-secrets-${layer}.zip`));

  it("has one file in extensions, since Lambda starts every file there, and keeps the rest elsewhere", () => {
    expect(readdirSync(join(opt, "extensions"))).toEqual(["cross-account-secrets"]);
    expect(readdirSync(opt).sort()).toEqual(["cross-account-secrets", "extensions"]);
  });

  it("is zipped whole, with what must be executable executable", () => {
    const modes = readModes(zip);
    for (const [name, content] of Object.entries(unzipSync(zip))) {
      expect(Buffer.from(content).equals(readFileSync(join(opt, name)))).toBe(true);
      const isExecutable = (statSync(join(opt, name)).mode & 0o100) !== 0;
      expect([name, modes.get(name)]).toEqual([name, isExecutable ? 0o100755 : 0o100644]);
    }
    expect(modes.get("extensions/cross-account-secrets")).toBe(0o100755);
  });

  it("names the licence of all that it carries", () => {
    const notices = readFileSync(join(opt, "cross-account-secrets/THIRD-PARTY-NOTICES"), "utf8");
    expect(notices).toContain("@aws-sdk/client-sts");
    expect(notices.includes("Node.js 24.")).toBe(layer !== "nodejs");
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

/** The Unix modes in a zip's central directory: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3.12 */
function readModes(zip: Buffer): Map<string, number> {
  const modes = new Map<string, number>();
  const end = zip.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left -= 1) {
    const [name, extra, comment] = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset)) as [
      number,
      number,
      number,
    ];
    modes.set(zip.toString("utf8", at + 46, at + 46 + name), zip.readUInt32LE(at + 38) >>> 16);
    at += 46 + name + extra + comment;
  }
  return modes;
}
