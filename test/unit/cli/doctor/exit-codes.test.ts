import { describe, expect, it } from "vitest";
import { type FailureCode, failureTable } from "../../../../extension/failure/failure.ts";
import { toHelp } from "../../../../scripts/cli/doctor/arguments.ts";
import { exitCodes, toExitCode } from "../../../../scripts/cli/doctor/exit-codes.ts";
import { BUG, USAGE } from "../../../../scripts/cli/world.ts";

const failures = Object.keys(failureTable) as readonly FailureCode[];
const isOfAws = (code: FailureCode) => !["caller", "internal"].includes(failureTable[code].category);

describe("an exit code of doctor", () => {
  it("exists for each cause that AWS or the network can produce, and for no other", () => {
    expect(Object.keys(exitCodes).sort()).toEqual(failures.filter(isOfAws).sort());
  });

  it("belongs to one cause and means nothing else to a shell", () => {
    const codes: readonly number[] = Object.values(exitCodes);
    expect(new Set(codes).size).toBe(codes.length);
    // 126 and up are the shell's own: https://tldp.org/LDP/abs/html/exitcodes.html
    for (const code of codes) expect(code > USAGE && code < 126 && code !== BUG, String(code)).toBe(true);
  });

  it("is that of a bug for all causes that doctor cannot meet", () => {
    for (const code of failures.filter((code) => !isOfAws(code))) expect(toExitCode(code), code).toBe(BUG);
  });

  it.each(Object.entries(exitCodes))("of %s is %i in --help", (cause, code) => {
    expect(toHelp().split(/[,\n]\s*/)).toContain(`${code} ${cause}`);
  });
});

describe("doctor --help", () => {
  it("fits into 100 columns", () => {
    for (const line of toHelp().split("\n")) expect(line.length, line).toBeLessThanOrEqual(100);
  });
});
