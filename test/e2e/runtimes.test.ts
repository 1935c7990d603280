/** The table of Lambda's runtimes, compared with cfn-lint's, which names a new runtime within days. */
import { describe, expect, it } from "vitest";
import { currentRuntimes, RUNTIMES_LIMIT } from "../../scripts/build/layers.ts";
import { unavailable } from "./support/availability.ts";
import { runPythonTool } from "./support/python-tools.ts";

/** Prints what CloudFormation takes as a layer's runtimes, and when AWS deprecates each. A preview has no date. */
const PROGRAM = `
import json
import cfnlint.data.AdditionalSpecs
from cfnlint.helpers import load_resource
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER
layer = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::Lambda::LayerVersion").schema
dates = load_resource(cfnlint.data.AdditionalSpecs, "LmbdRuntimeLifecycle.json")
runtimes = layer["properties"]["CompatibleRuntimes"]
print(json.dumps({
  "limit": runtimes["maxItems"],
  "deprecated": {name: dates.get(name, {}).get("deprecated", "none") for name in runtimes["items"]["enum"]},
}))`;

describe.skipIf(unavailable)("the table of runtimes", () => {
  const readList = (): { limit: number; deprecated: Record<string, string> } =>
    JSON.parse(runPythonTool("python3", ["-c", PROGRAM]));

  it("has every runtime of Lambda that was not deprecated on its date, and no other", () => {
    const current = Object.entries(readList().deprecated).filter(([, date]) => date > currentRuntimes.on);
    const { nodejs, others } = currentRuntimes;
    expect([...nodejs, ...others].sort()).toEqual(current.map(([name]) => name).sort());
    expect(nodejs.every((name) => name.startsWith("nodejs"))).toBe(true);
    expect(others.filter((name) => name.startsWith("nodejs"))).toEqual([]);
  });

  it("has those last that are deprecated first, because a layer names as many as Lambda takes", () => {
    const { limit, deprecated } = readList();
    expect(RUNTIMES_LIMIT).toBe(limit);
    const dates = currentRuntimes.others.map((name) => deprecated[name] ?? "");
    expect(dates).toEqual(dates.toSorted().reverse());
  });
});
