import { describe, expect, it } from "vitest";
import type { Environment } from "../../../extension/config/rules.ts";
import { parseInheritance } from "../../../extension/lambda/handover.ts";

const PID = 17;
const GIVEN = { LISTEN_PID: "17", LISTEN_FDS: "1", LAMBDA_EXTENSION_IDENTIFIER: "an-identifier" };

describe("an inheritance", () => {
  it("is the first descriptor and the identifier, from a launcher that has become us", () => {
    expect(parseInheritance(GIVEN, PID)).toEqual({ descriptor: 3, identifier: "an-identifier" });
  });

  it.each<[string, Environment]>([
    ["there is none", {}],
    ["it is another process's", { ...GIVEN, LISTEN_PID: "18" }],
    ["it is nobody's", { ...GIVEN, LISTEN_PID: undefined }],
    ["the process id is empty", { ...GIVEN, LISTEN_PID: "" }],
    ["the process id is written otherwise", { ...GIVEN, LISTEN_PID: "017" }],
    ["only an identifier was set, by somebody", { LAMBDA_EXTENSION_IDENTIFIER: "an-identifier" }],
  ])("is nothing where %s", (_, environment) => {
    expect(parseInheritance(environment, PID)).toEqual({ descriptor: undefined, identifier: undefined });
  });

  it.each([undefined, "", "0", "2", "01", "one"])("has no descriptor where LISTEN_FDS is %j", (LISTEN_FDS) => {
    expect(parseInheritance({ ...GIVEN, LISTEN_FDS }, PID)).toEqual({
      descriptor: undefined,
      identifier: "an-identifier",
    });
  });

  it.each([undefined, ""])("has no identifier where LAMBDA_EXTENSION_IDENTIFIER is %j", (identifier) => {
    const environment = { ...GIVEN, LAMBDA_EXTENSION_IDENTIFIER: identifier };
    expect(parseInheritance(environment, PID)).toEqual({ descriptor: 3, identifier: undefined });
  });
});
