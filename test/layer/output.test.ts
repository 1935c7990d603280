/** The log cannot be written: the extension answers as before, and does not use the processor for it. */
import { execFileSync } from "node:child_process";
import { closeSync, constants, existsSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { type LayerName, toOpt } from "../../scripts/build/build.ts";
import { type Bench, startBench } from "../support/bench.ts";
import { createTempFolder } from "../support/temp-files.ts";
import { SECRET_PATH } from "../support/two-accounts.ts";

const EXTENSION = "extensions/cross-account-secrets";
const layers = (["nodejs", process.arch === "arm64" ? "arm64" : "x86_64"] as const).filter((name) =>
  existsSync(join(toOpt(name), EXTENSION)),
);

/** Starts a built layer whose standard output is this file. */
async function start(layer: LayerName, file: string): Promise<Bench> {
  const opt = createTempFolder();
  mkdirSync(join(opt, "extensions"));
  const script = `#!/bin/sh\nexec '${join(toOpt(layer), EXTENSION)}' >'${file}'\n`;
  writeFileSync(join(opt, EXTENSION), script, { mode: 0o755 });
  const bench = await startBench({ opt });
  await bench.lambda.init();
  return bench;
}

/** A pipe, and the descriptor of its reader. */
function createPipe(): { readonly file: string; readonly reader: number } {
  const file = join(createTempFolder(), "pipe");
  execFileSync("mkfifo", [file]);
  return { file, reader: openSync(file, constants.O_RDONLY | constants.O_NONBLOCK) };
}

/** Fails a refresh, which the extension logs, and reads the secret from memory. */
async function expectServing(bench: Bench): Promise<void> {
  bench.aws.fault("GetSecretValue", { kind: "error", status: 500, code: "InternalServiceError" }, { times: 1 });
  expect((await bench.ask(`${SECRET_PATH}&refreshNow=true`)).status).toBe(200);
  expect((await bench.askForSecret()).status).toBe(200);
}

/** The processor time that the extension has used, in hundredths of a second. */
function readCpuTicks({ lambda }: Bench): number {
  // https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: utime and stime
  const fields = readFileSync(`/proc/${lambda.extensionPid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

describe.skipIf(!existsSync("/proc/self/stat")).each(layers)("if the standard output of the %s layer", (layer) => {
  it.each(["has a reader that goes away", "is on a full disk"])(
    "%s, the extension serves on, and uses no processor time for it",
    async (what) => {
      const { file, reader } = createPipe();
      const bench = await start(layer, what.endsWith("disk") ? "/dev/full" : file);
      closeSync(reader);
      await expectServing(bench);
      const ticks = readCpuTicks(bench);
      await delay(1_000);
      expect(readCpuTicks(bench) - ticks).toBeLessThan(20);
      await expectServing(bench);
      expect(await bench.lambda.shutdown()).toMatchObject({ exitCode: 0 });
    },
  );

  it("has a reader that stops reading, the extension serves on", async () => {
    const { file, reader } = createPipe();
    onTestFinished(() => closeSync(reader));
    const writer = openSync(file, constants.O_WRONLY | constants.O_NONBLOCK);
    onTestFinished(() => closeSync(writer));
    const fill = () => {
      for (;;) writeSync(writer, Buffer.alloc(4_096));
    };
    expect(fill).toThrow("EAGAIN");
    const bench = await start(layer, file);
    await expectServing(bench);
    expect(await bench.lambda.shutdown()).toMatchObject({ exitCode: 0 });
  });
});
