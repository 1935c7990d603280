import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { PROJECTS, toTestPlan } from "../../support/test-plan.ts";

const VERSIONS = "tests on other versions of Node.js";
const ofMachine = { isCi: false };
const ofCi = { isCi: true };

describe("npm test", () => {
  it("checks, builds, and runs all but the tests of a release", () => {
    const { projects, steps } = toTestPlan([], ofMachine);
    expect(projects).toEqual(["unit", "integration", "layer", "conformance", "faults", "e2e"]);
    expect(steps).toEqual(["format and types", "build", "tests"]);
  });

  it("also runs tests on the other versions of Node.js in CI, or if they are named, and takes at most 20 minutes", () => {
    expect(toTestPlan([], ofCi).steps).toContain(VERSIONS);
    expect(toTestPlan(["versions"], ofMachine)).toMatchObject({ projects: [], steps: ["build", VERSIONS] });
    expect(toTestPlan([], ofCi).minutes).toBeLessThanOrEqual(20);
  });

  it("does not build for unit tests, which take a minute", () => {
    expect(toTestPlan(["unit"], ofMachine)).toMatchObject({ steps: ["tests"], minutes: 1 });
  });

  it("selects the files of the end-to-end tests that are called faults, if only faults are named", () => {
    expect(toTestPlan(["faults"], ofMachine)).toMatchObject({ projects: ["faults", "e2e"], filters: ["faults"] });
    expect(toTestPlan(["faults", "unit"], ofMachine)).toMatchObject({ projects: ["faults", "unit"], filters: [] });
  });

  it("names in its help all that may be named", () => {
    const help = /HELP = `([^`]*)/.exec(readFileSync(new URL("../../run.ts", import.meta.url), "utf8"))?.[1] ?? "";
    expect([...help.matchAll(/^ {2}(\w+) {3,}/gm)].map(([, name]) => name).sort()).toEqual(PROJECTS.toSorted());
  });
});
