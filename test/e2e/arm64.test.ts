/** The arm64 layer on a machine for x86_64: the kernel hands each of its programs to an emulator, and nothing else is there. */
import { beforeAll, describe, expect, it } from "vitest";
import { unavailable } from "./support/availability.ts";
import { SECRETS_MANAGER, STS, startBareRoot } from "./support/bare-root.ts";
import { findEmulationObstacle, findEmulator } from "./support/qemu.ts";

const obstacle = unavailable ?? findEmulationObstacle();

describe.skipIf(obstacle)("the arm64 layer, emulated, in a root with nothing else", () => {
  let emulator: string;
  beforeAll(async () => {
    emulator = await findEmulator();
  }, 300_000);

  it("starts as its launcher, which registers and becomes its Node, and serves a secret over HTTPS by name", async () => {
    const bench = await startBareRoot({
      layer: "arm64",
      emulator,
      // Node needs some seconds to start in the emulator.
      environment: { CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: "60000", CROSS_ACCOUNT_SECRETS_PREFETCH_TIMEOUT_MS: "0" },
    });
    await bench.lambda.init();
    const answer = await bench.askForSecret();
    expect(answer.status).toBe(200);
    expect(bench.canaries.every((canary) => answer.body.includes(canary))).toBe(true);
    expect(new Set(bench.nameServer.asked)).toEqual(new Set([STS, SECRETS_MANAGER]));
    // One registration: the launcher's own, inherited with the socket by Node.
    expect(bench.lambda.journal.filter(({ call }) => call === "register")).toHaveLength(1);
    const { exitCode } = await bench.lambda.shutdown();
    expect(exitCode).toBe(0);
    expect(bench.lambda.logs.filter(({ line }) => !line.startsWith('{"time":'))).toEqual([]);
  });
});
