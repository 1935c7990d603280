import { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { createConnectionLimit } from "../../../extension/http/server.ts";

const sockets = (count: number) => Array.from({ length: count }, () => new Socket());

describe("the limit of connections", () => {
  it("admits as many as it is for, and touches none of them", () => {
    const { admit } = createConnectionLimit(3);
    const all = sockets(3);
    expect(all.map(admit)).toEqual([true, true, true]);
    expect(all.some(({ destroyed }) => destroyed)).toBe(false);
  });

  it("ends the one that has been longest without a complete request", () => {
    const { admit, begin, end } = createConnectionLimit(3);
    const [a, b, c, d, e] = sockets(5) as [Socket, Socket, Socket, Socket, Socket];
    for (const socket of [a, b, c]) admit(socket);
    begin(a);
    end(a);
    expect(admit(d)).toBe(true);
    expect([a, b, c, d].map(({ destroyed }) => destroyed)).toEqual([false, true, false, false]);
    expect(admit(e)).toBe(true);
    expect([a, b, c, d, e].map(({ destroyed }) => destroyed)).toEqual([false, true, true, false, false]);
  });

  it("ends none that has a request under way, be it one of several, and then admits no more", () => {
    const { admit, begin, end } = createConnectionLimit(2);
    const [a, b, c] = sockets(3) as [Socket, Socket, Socket];
    for (const socket of [a, b]) admit(socket);
    begin(a);
    begin(a);
    begin(b);
    end(a);
    expect(admit(c)).toBe(false);
    expect([a, b, c].some(({ destroyed }) => destroyed)).toBe(false);
    end(a);
    expect(admit(c)).toBe(true);
    expect([a, b].map(({ destroyed }) => destroyed)).toEqual([true, false]);
  });

  it("has room again when a connection closes of itself", async () => {
    const { admit, begin } = createConnectionLimit(1);
    const [a, b] = sockets(2) as [Socket, Socket];
    admit(a);
    begin(a);
    a.destroy();
    await new Promise((resolve) => a.once("close", resolve));
    expect(admit(b)).toBe(true);
  });

  it("takes no notice of what ends on a connection that it has ended", () => {
    const { admit, end } = createConnectionLimit(1);
    const [a, b, c] = sockets(3) as [Socket, Socket, Socket];
    admit(a);
    admit(b);
    end(a);
    expect(admit(c)).toBe(true);
    expect(b.destroyed).toBe(true);
  });
});
