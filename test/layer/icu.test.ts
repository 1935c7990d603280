/** The trimmed ICU data of Node is enough for the extension, and code that uses the missing data does not fail. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { toOpt } from "../../scripts/build/build.ts";
import { trimIcu } from "../../scripts/build/icu.ts";

const program = join(toOpt("x86_64"), "cross-account-secrets");
const canRun = process.platform === "linux" && process.arch === "x64" && existsSync(join(program, "bin/node"));

describe.skipIf(!canRun)("the Node of the x86_64 layer (Linux on x86_64)", () => {
  const evaluate = (expression: string, environment: Record<string, string> = {}): unknown => {
    const node = [join(program, "bin/node"), "-p", `JSON.stringify(${expression})`];
    const args = ["--library-path", join(program, "lib"), ...node];
    return JSON.parse(execFileSync(join(program, "lib/ld.so"), args, { env: environment, encoding: "utf8" }));
  };

  it.each([
    [`new URL("https://español.example").hostname`, "xn--espaol-zwa.example"],
    [`"é".normalize("NFD").length`, 2],
    [`/^\\p{Lu}$/u.test("É")`, true],
    [`"İ".toLowerCase().length`, 2],
    [`new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from("é"))`, "é"],
    [`new TextDecoder("utf-16le").decode(Buffer.from("é", "utf16le"))`, "é"],
    [`(1234.5).toLocaleString()`, "1,234.5"],
    [`new Date(0).toLocaleString("en-US", { timeZone: "Europe/Paris" })`, "1/1/1970, 1:00:00 AM"],
    [`"a".localeCompare("b")`, -1],
  ])("evaluates %s correctly", (expression, expected) => {
    expect(evaluate(expression)).toBe(expected);
  });

  it.each([
    `new Date(0).toLocaleString("de")`,
    `(1).toLocaleString("ar")`,
    `new Intl.Collator("sv").compare("a", "ö")`,
    `[...new Intl.Segmenter("th").segment("สวัสดี")].length`,
    `new Intl.DisplayNames("de", { type: "region" }).of("FR")`,
  ])("evaluates %s without an error, also in a German environment", (expression) => {
    expect(evaluate(expression)).toBeDefined();
    expect(evaluate(expression, { LC_ALL: "de_DE.UTF-8" })).toBeDefined();
  });

  it("does not change when it is trimmed again; nor does a file without ICU data", () => {
    const node = readFileSync(join(program, "bin/node"));
    expect(trimIcu(node).equals(node)).toBe(true);
    const other = readFileSync(join(program, "lib/libc.so.6"));
    expect(trimIcu(other)).toBe(other);
  });
});
