import { describe, expect, it } from "vitest";
import { toJsonReply, toReply } from "../../../extension/http/replies.ts";

describe("a reply", () => {
  it("says what it is, and that nobody may keep it", () => {
    expect(toReply(200, "text/plain; charset=utf-8", "healthy")).toEqual({
      status: 200,
      headers: { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store" },
      body: "healthy",
    });
  });

  it("carries headers of its own besides", () => {
    const { headers } = toReply(200, "text/plain", "", { ETag: '"1"' });
    expect(headers).toEqual({ "Content-Type": "text/plain", "Cache-Control": "no-store", ETag: '"1"' });
  });

  it("leaves bytes as they are", () => {
    const bytes = Uint8Array.of(0, 0xff, 0x80, 0x0a);
    expect(toReply(200, "application/octet-stream", bytes).body).toBe(bytes);
  });

  it("in JSON is compact, and without what is undefined", () => {
    expect(toJsonReply(404, { __type: "X", remedy: undefined, message: "ü\n" }, { Allow: "GET" })).toEqual({
      status: 404,
      headers: { "Content-Type": "application/json", "Cache-Control": "no-store", Allow: "GET" },
      body: '{"__type":"X","message":"ü\\n"}',
    });
  });
});
