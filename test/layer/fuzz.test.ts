/** A short run of `npm run fuzz`, with all cases that longer runs have found. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { toOpt } from "../../scripts/build/build.ts";
import { readKeptCases } from "../fuzz/kept-cases.ts";
import { fuzz } from "../fuzz/run.ts";
import { buildCoveredLayer } from "../support/coverage.ts";

describe("ten thousand mutated requests", () => {
  it.each(["configured", "any"] as const)("break no rule if %s ids may be read", async (mode) => {
    const report = await fuzz({ opt: toOpt("nodejs"), mode, seed: 1, requests: 10_000, kept: readKeptCases() });
    expect(report.violations).toEqual([]);
    expect(report.requests).toBeGreaterThanOrEqual(10_000);
    expect([...report.statuses.keys()]).toEqual(
      expect.arrayContaining([200, 204, 400, 403, 404, 405, 413, 414, 429, 431]),
    );
  });
});

describe("the predicted requests", () => {
  /** Branches that no request can reach. */
  const BEYOND = [
    // A bug of the extension: test/unit/http/handler.test.ts.
    /failure\.code === "internal"/,
    // A port that only root may use: test/unit/http/handler.test.ts.
    /config\.httpPort === 80/,
  ];
  const FILES = ["http/requests.ts", "http/handler.ts", "cache/resolve.ts"];

  it("take every branch from a request to its answer", async () => {
    const folder = mkdtempSync(join(tmpdir(), "covered-layer-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const layer = await buildCoveredLayer(folder);
    const run = (mode: "configured" | "any" | "disabled", requests: number) =>
      fuzz({ opt: layer.opt, mode, seed: 1, requests, generators: ["predicted"] });
    expect((await run("disabled", 100)).violations).toEqual([]);
    // The branches that are not taken are noticed: without requests, these are most of them.
    expect(layer.findUntaken(FILES).length).toBeGreaterThan(20);
    for (const mode of ["configured", "any"] as const) expect((await run(mode, 12_000)).violations).toEqual([]);
    const untaken = layer.findUntaken(FILES);
    expect(untaken.filter((place) => !BEYOND.some((beyond) => beyond.test(place)))).toEqual([]);
  });
});
