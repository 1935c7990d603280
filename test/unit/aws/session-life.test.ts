import { describe, expect, it } from "vitest";
import { isAlive, type Session } from "../../../extension/aws/session.ts";

const SESSION: Session = {
  credentials: { accessKeyId: "ASIA", secretAccessKey: "key", sessionToken: "token" },
  order: 1,
  askedAtEpochMs: 1_000,
  newForMs: 60_000,
  renewAtEpochMs: 3_241_000,
  expiresAtEpochMs: 3_601_000,
};

describe("a session", () => {
  it.each([
    [999, false, "the clock has stepped back behind its start"],
    [1_000, true, "it starts"],
    [3_600_999, true, "it has one millisecond left"],
    [3_601_000, false, "it has expired"],
  ])("at %d ms is alive: %s, because %s", (atEpochMs, alive) => {
    expect(isAlive(SESSION, atEpochMs)).toBe(alive);
  });

  it("that does not exist is not alive", () => {
    expect(isAlive(undefined, 1_000)).toBe(false);
  });
});
