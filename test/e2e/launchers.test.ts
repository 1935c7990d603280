import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { compileLaunchers, layerFolder } from "../../scripts/build/launchers.ts";
import { unavailable } from "./support/availability.ts";

describe.skipIf(unavailable)("the programs in layer/", () => {
  it("are byte for byte what their sources compile to, for both architectures", { timeout: 600_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "launchers-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const names = await compileLaunchers(folder, () => {});
    expect(names).toEqual(expect.arrayContaining(["launcher-x86_64", "launcher-arm64"]));
    for (const name of names) {
      expect([name, readFileSync(join(folder, name)).equals(readFileSync(join(layerFolder, name)))]).toEqual([
        name,
        true,
      ]);
    }
  });
});
