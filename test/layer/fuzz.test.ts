/** A short run of `npm run fuzz`, with all that a longer one has found. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { toOpt } from "../../scripts/build/build.ts";
import { readKept } from "../fuzz/kept.ts";
import { fuzz } from "../fuzz/run.ts";
import { buildCoveredLayer } from "../support/coverage.ts";

describe("ten thousand mutated requests", () => {
  it.each(["configured", "any"] as const)("break no rule where ALLOW is %s", async (mode) => {
    const report = await fuzz({ opt: toOpt("nodejs"), mode, seed: 1, requests: 10_000, kept: readKept() });
    expect(report.violations).toEqual([]);
    expect(report.requests).toBeGreaterThanOrEqual(10_000);
    expect([...report.statuses.keys()]).toEqual(
      expect.arrayContaining([200, 204, 400, 403, 404, 405, 413, 414, 429, 431]),
    );
  });
});

describe("the structured requests", () => {
  /** What no request can reach. */
  const BEYOND = [
    // A bug of ours: test/unit/http/handler.test.ts.
    /failure\.code === "internal"/,
    // For the type checker: parseInvalidation lets none pass without.
    /query\.versionId \?\? ""/,
    // The layer's port, which only root may have: ibidem.
    /config\.httpPort === 80/,
  ];
  const FILES = [
    "request-target.ts",
    "secret-request.ts",
    "parameter-request.ts",
    "http-handler.ts",
    "source-choice.ts",
  ];

  it("take every branch from a request to its answer", async () => {
    const folder = mkdtempSync(join(tmpdir(), "covered-layer-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const layer = await buildCoveredLayer(folder);
    const run = (mode: "configured" | "any" | "disabled", requests: number) =>
      fuzz({ opt: layer.opt, mode, seed: 1, requests, generators: ["structured"] });
    expect((await run("disabled", 100)).violations).toEqual([]);
    // What is not taken is noticed: this is most of it.
    expect(layer.findUntaken(FILES).length).toBeGreaterThan(20);
    for (const mode of ["configured", "any"] as const) expect((await run(mode, 12_000)).violations).toEqual([]);
    const untaken = layer.findUntaken(FILES);
    expect(untaken.filter((place) => !BEYOND.some((beyond) => beyond.test(place)))).toEqual([]);
  });
});
