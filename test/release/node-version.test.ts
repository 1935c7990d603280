/** The Node.js in the self-contained layers is the newest of its line, as SECURITY.md promises. Asks the npm registry. */
import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { carriedNode, NODE_VERSION } from "../../scripts/build/node-binary.ts";

const line = NODE_VERSION.split(".")[0];

const listVersions = (name: string): string[] =>
  JSON.parse(execFileSync("npm", ["view", name, "versions", "--json"], { encoding: "utf8" }));

it(`the layers contain the newest Node.js ${line} that npm has for both processors`, () => {
  const [x86, arm] = Object.values(carriedNode).map(({ name }) => listVersions(name));
  const ofBoth = x86?.filter((version) => version.startsWith(`${line}.`) && arm?.includes(version)) ?? [];
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  expect(NODE_VERSION).toBe(ofBoth.toSorted(compare).at(-1));
});
