/** SUPPORT.md says of each variable that AWS's SDKs share whether the extension uses it. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { listVariablesRead } from "../support/variables-read.ts";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

/** From each variable of the table to the cell "in a function". */
const [, section = ""] = read("SUPPORT.md").split("## The variables of AWS's SDKs");
const table = new Map(
  [...section.matchAll(/^\| (`.*?`) \| (.+?) \|/gm)].flatMap(([, names = "", isUsed = ""]) =>
    [...names.matchAll(/`([A-Z0-9_]+)`/g)].map(([, name = ""]) => [name, isUsed] as const),
  ),
);

it("the table's variables that are used in a function are those that the extension reads", () => {
  // The function's facts, and the token of AWS's agent.
  const awsNames = listVariablesRead().filter((name) => /^AWS_(?!LAMBDA_|TOKEN$)/.test(name));
  expect(awsNames.length).toBeGreaterThan(10);
  const used = [...table].filter(([, isUsed]) => isUsed === "yes").map(([name]) => name);
  expect(used.sort()).toEqual(awsNames);
});

it("the table has every variable that the SDK in our bundles reads", () => {
  const bundles = ["aws-sdk", "aws-ssm", "aws-chain", "aws-identity"]
    .map((name) => read(`dist/cli/${name}.cjs`))
    .join();
  const inBundles = [...bundles.matchAll(/(?:"|\benv\.)(AWS_[A-Z0-9_]+)\b/g)].map(([, name = ""]) => name);
  // Lambda's own, and a switch of the SDK for JavaScript.
  const shared = [...new Set(inBundles)].filter((name) => !/^AWS_(LAMBDA|EXECUTION_ENV|SDK_JS)/.test(name));
  expect(shared.length).toBeGreaterThan(20);
  expect(shared.filter((name) => !table.has(name))).toEqual([]);
});
