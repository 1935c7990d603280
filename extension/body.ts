import type { Readable } from "node:stream";

/** All bytes of a body; fails when it ends too early. At its first use cheaper than what streams have of their own. */
export function readBody(stream: Readable): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => resolve(Buffer.concat(chunks)));
    stream.on("error", reject);
    // It comes last, and after the others says nothing.
    stream.on("close", () => reject(new Error("the body ended too early")));
  });
}
