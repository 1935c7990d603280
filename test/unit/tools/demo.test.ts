/** The demo's picture, and the interpreter that it names. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type DemoRun, toPicture } from "../../demo/picture.ts";
import { exampleFunctions } from "../../support/functions.ts";

const KEYS = ["username", "password"];
const RUN: DemoRun = {
  title: "Python 3.11.2",
  spans: [
    { label: "extension starts", fromMs: 0, toMs: 4, remark: "and registers" },
    { label: "  loads AWS SDK", fromMs: 4, toMs: 72, remark: "after registering" },
    { label: "  AssumeRole", fromMs: 92, toMs: 103, remark: "SecretReader" },
    { label: "  GetSecretValue", fromMs: 113, toMs: 117, remark: "my-shared-secret" },
    { label: "function starts", fromMs: 17, toMs: 119, remark: "and has the secret" },
  ],
  invocations: [3.9, 2.8, 2.4].map((ms) => ({ ms, answer: { init: KEYS, handler: KEYS } })),
  shutdown: { ms: 8.7, exitCode: 0 },
  hits: 3,
  calls: { AssumeRole: 1, GetSecretValue: 1 },
};
const plain = (_style: unknown, text: string) => text;
const WIDTH = 78;

describe("the picture of the demo", () => {
  it(`fits ${WIDTH} columns, also on a slow machine`, () => {
    const slow = {
      ...RUN,
      spans: RUN.spans.map((span) => ({ ...span, fromMs: span.fromMs * 99, toMs: span.toMs * 99 })),
      invocations: RUN.invocations.map(({ answer }) => ({ answer, ms: 9_999 })),
    };
    for (const run of [RUN, slow]) expect(toPicture(run, plain).filter(({ length }) => length > WIDTH)).toEqual([]);
  });

  it("is the one in the README, except for what one run measures", () => {
    const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
    const [, block = ""] = /```\n(Python \d[\s\S]*?)```/.exec(readme) ?? [];
    const settle = (text: string) =>
      text
        .replaceAll(/━+/g, "━")
        .replaceAll(/[\d.]+/g, "#")
        .replaceAll(/ +/g, " ");
    expect(settle(block)).toBe(settle(`${toPicture(RUN, plain).join("\n")}\n`));
    expect(block.split("\n").filter(({ length }) => length > WIDTH)).toEqual([]);
  });
});

describe("a function of the examples", () => {
  const withVersion = exampleFunctions.filter(({ language, version }) => language !== "sh and curl" && version);

  it.each(withVersion)("in $language is run by the interpreter that the demo names", ({ version, runtime }) => {
    // The PATH is not ours, as in the fake Lambda.
    const { stdout } = spawnSync(runtime.command, ["--version"], { encoding: "utf8", env: { PATH: "/usr/bin:/bin" } });
    expect(stdout.trim().replace(/^(Python |v)/, "")).toBe(version);
  });
});
