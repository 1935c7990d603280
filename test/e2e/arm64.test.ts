/** The arm64 layer on an x86_64 machine: the kernel runs each of its programs in an emulator, in an otherwise empty root. */
import { beforeAll, describe, expect, it } from "vitest";
import { unavailable } from "./support/availability.ts";
import { SECRETS_MANAGER, STS, startBareRoot } from "./support/bare-root.ts";
import { findEmulationObstacle, findEmulator } from "./support/qemu.ts";

const obstacle = unavailable ?? findEmulationObstacle();

describe.skipIf(obstacle)("the arm64 layer, emulated, in an otherwise empty root", () => {
  let emulator: string;
  beforeAll(async () => {
    emulator = await findEmulator();
  }, 300_000);

  it("registers by its launcher, which becomes Node.js, and serves a secret that it fetches over HTTPS by host name", async () => {
    const bench = await startBareRoot({
      layer: "arm64",
      emulator,
      // Node.js needs some seconds to start in the emulator.
      environment: { CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: "60000", CROSS_ACCOUNT_SECRETS_PREFETCH_TIMEOUT_MS: "0" },
    });
    await bench.lambda.init();
    const answer = await bench.askForSecret();
    expect(answer.status).toBe(200);
    expect(bench.canaries.every((canary) => answer.body.includes(canary))).toBe(true);
    expect(new Set(bench.nameServer.asked)).toEqual(new Set([STS, SECRETS_MANAGER]));
    // Only the launcher registers. Node.js inherits the registration with the socket.
    expect(bench.lambda.journal.filter(({ call }) => call === "register")).toHaveLength(1);
    const { exitCode } = await bench.lambda.shutdown();
    expect(exitCode).toBe(0);
    expect(bench.lambda.logs.filter(({ line }) => !line.startsWith('{"time":'))).toEqual([]);
  });
});
