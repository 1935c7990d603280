/** The units of `examples/systemd/`, tested as far as possible with an installed systemd that does not run. */
import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { CLI } from "../support/cli.ts";
import { findFreePort } from "../support/free-port.ts";
import { ask, startServe } from "../support/serve.ts";
import { createTempFolder } from "../support/temp-files.ts";

const examples = fileURLToPath(new URL("../../examples/systemd", import.meta.url));
const [SOCKET, SERVICE] = ["cross-account-secrets.socket", "cross-account-secrets.service"];
const isMissing = spawnSync("systemd-analyze", ["--version"]).error !== undefined;

/** Copies the units, with the path of the built program, because it is not installed on this machine. */
async function copyUnits(): Promise<string> {
  const folder = createTempFolder();
  for (const unit of [SOCKET, SERVICE]) cpSync(join(examples, unit), join(folder, unit));
  const text = readFileSync(join(folder, SERVICE), "utf8");
  writeFileSync(join(folder, SERVICE), text.replace("/usr/local/bin/cross-account-secrets", CLI));
  return folder;
}

describe.skipIf(isMissing)("the systemd units (need systemd-analyze)", () => {
  it("are verified by systemd-analyze without a warning", async () => {
    const args = ["verify", "--man=no", `./${SOCKET}`, `./${SERVICE}`];
    const { status, stdout, stderr } = spawnSync("systemd-analyze", args, { cwd: await copyUnits(), encoding: "utf8" });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
  });

  it("leave the service an exposure level of at most 1.5", async () => {
    const args = ["security", "--offline=true", "--no-pager", `./${SERVICE}`];
    const { stdout } = spawnSync("systemd-analyze", args, { cwd: await copyUnits(), encoding: "utf8" });
    // The remaining exposure, on a scale of 10, is the network, which the service needs.
    expect(Number(/Overall exposure level .*: ([\d.]+)/.exec(stdout)?.[1])).toBeLessThanOrEqual(1.5);
  });

  it("pass on a socket, and a connection from before the start of the service is answered", async () => {
    const folder = createTempFolder();
    writeFileSync(join(folder, "secrets.json"), '{"s":"value"}');
    writeFileSync(join(folder, "token"), "the-token-of-both\n");
    const port = await findFreePort();
    const serve = await startServe({
      port,
      // This program starts the service at the first connection.
      command: [
        "systemd-socket-activate",
        `--listen=127.0.0.1:${port}`,
        "--setenv=CROSS_ACCOUNT_SECRETS_HTTP_PORT",
        "--setenv=CROSS_ACCOUNT_SECRETS_TOKEN",
        "--setenv=HOME",
      ],
      args: ["--fake", join(folder, "secrets.json")],
      environment: { CROSS_ACCOUNT_SECRETS_TOKEN: `file://${join(folder, "token")}` },
    });
    await expect.poll(serve.stderr).toMatch(/^Listening on/);
    expect(await ask(port, "/secrets/s", "the-token-of-both")).toEqual({ status: 200, body: "value" });
    expect(serve.log.map(({ event }) => event)).toContain("listening");
    serve.kill("SIGTERM");
    expect(await serve.ended).toBe(0);
  });
});
