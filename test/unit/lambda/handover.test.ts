import { describe, expect, it } from "vitest";
import type { Environment } from "../../../extension/config/setting-rules.ts";
import { parseInheritance } from "../../../extension/lambda/handover.ts";

const PID = 17;
const GIVEN = { LISTEN_PID: "17", LISTEN_FDS: "1", LAMBDA_EXTENSION_IDENTIFIER: "an-identifier" };

describe("a handover", () => {
  it("is the first descriptor and the identifier, if the launcher has become this process", () => {
    expect(parseInheritance(GIVEN, PID)).toEqual({ descriptor: 3, identifier: "an-identifier" });
  });

  it.each<[string, Environment]>([
    ["no variable is set", {}],
    ["LISTEN_PID is another process", { ...GIVEN, LISTEN_PID: "18" }],
    ["LISTEN_PID is unset", { ...GIVEN, LISTEN_PID: undefined }],
    ["LISTEN_PID is empty", { ...GIVEN, LISTEN_PID: "" }],
    ["LISTEN_PID has a leading zero", { ...GIVEN, LISTEN_PID: "017" }],
    ["only an identifier is set", { LAMBDA_EXTENSION_IDENTIFIER: "an-identifier" }],
  ])("is empty if %s", (_, environment) => {
    expect(parseInheritance(environment, PID)).toEqual({ descriptor: undefined, identifier: undefined });
  });

  it.each([undefined, "", "0", "2", "01", "one"])("has no descriptor if LISTEN_FDS is %j", (LISTEN_FDS) => {
    expect(parseInheritance({ ...GIVEN, LISTEN_FDS }, PID)).toEqual({
      descriptor: undefined,
      identifier: "an-identifier",
    });
  });

  it.each([undefined, ""])("has no identifier if LAMBDA_EXTENSION_IDENTIFIER is %j", (identifier) => {
    const environment = { ...GIVEN, LAMBDA_EXTENSION_IDENTIFIER: identifier };
    expect(parseInheritance(environment, PID)).toEqual({ descriptor: 3, identifier: undefined });
  });
});
