import { PassThrough, Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { readBody } from "../../../extension/aws/client.ts";

describe("a response body", () => {
  it.each([
    ["in one piece", ["whole"], "whole"],
    ["in pieces that split a character", [Buffer.from([0xe2]), Buffer.from([0x82, 0xac])], "€"],
    ["that is empty", [], ""],
  ])("%s is read to its end", async (_, chunks, text) => {
    expect((await readBody(Readable.from(chunks, { objectMode: false }))).toString()).toBe(text);
  });

  it("that breaks off is an error", async () => {
    const stream = new PassThrough();
    const body = readBody(stream);
    stream.write("the first half");
    stream.destroy(new Error("reset"));
    await expect(body).rejects.toThrow("reset");
  });

  it("whose stream is destroyed early is an error and does not hang", async () => {
    const stream = new PassThrough();
    const body = readBody(stream);
    stream.write("the first half");
    stream.destroy();
    await expect(body).rejects.toThrow("too early");
  });
});
