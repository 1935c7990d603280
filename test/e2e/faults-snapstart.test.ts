/** SnapStart, as far as the emulator supports it, and a restore, as far as clocks can simulate it. */
import { fileURLToPath } from "node:url";
import { describe, expect } from "vitest";
import { toOpt } from "../../scripts/build/build.ts";
import { fault } from "../support/faults.ts";
import { type Asker, type AskerOptions, startAsker, toAnswerText, toCallCounts } from "./support/asker.ts";
import { unavailable } from "./support/availability.ts";
import { readVariableNames } from "./support/process.ts";

const group = "SnapStart";
const on = "emulator";
const KEYS = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
const toSessionNames = ({ aws }: Asker) => aws.calls.flatMap(({ roleSessionName }) => roleSessionName ?? []);

/**
 * The emulator has only SnapStart's endpoint for credentials: it takes no snapshot, restores none, and leaves the keys in the
 * environment. A fixture removes them for the extension, and `env` for the function. The function's client is told "on-demand",
 * because otherwise it would wait for a restore.
 */
const snapStart: AskerOptions = {
  flags: ["--enable-init-caching"],
  environment: { AWS_LAMBDA_INITIALIZATION_TYPE: "snap-start" },
  opt: fileURLToPath(new URL("../fixtures/snapstart", import.meta.url)),
  toRuntime: (python) => ({
    ...python,
    files: { ...python.files, "/var/layer": toOpt("x86_64") },
    bootstrap: [
      "/usr/bin/env",
      ...KEYS.flatMap((name) => ["--unset", name]),
      "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
      ...python.bootstrap,
    ],
  }),
};

describe.skipIf(unavailable)("under the Runtime Interface Emulator", () => {
  fault(
    {
      group,
      on,
      name: "no keys in the environment during the init that a snapshot would save",
      expected: "nothing is fetched before the function's request; then with the endpoint's credentials",
    },
    async (see) => {
      const asker = await startAsker(snapStart);
      await asker.ask({ paths: [] });
      const names = asker.sandbox.extensionPids().flatMap(readVariableNames);
      const callsInInit = asker.aws.calls.length;
      const answer = await asker.askOnce();
      see(`${callsInInit} calls in init; then ${toAnswerText(answer)}; ${toCallCounts(asker)}`);
      expect(names).toContain("AWS_CONTAINER_CREDENTIALS_FULL_URI");
      expect(names.filter((name) => KEYS.includes(name))).toEqual([]);
      expect(callsInInit).toBe(0);
      expect(answer.status).toBe(200);
      expect(asker.aws.calls.map(({ outcome }) => outcome)).toEqual(["ok", "ok"]);
    },
  );

  for (const [name, clocks, expected] of [
    [
      "a minute passes on the wall clock only, as in a restore",
      "wall",
      "value, session and session name are new, although the TTL has not ended",
    ],
    ["a minute passes on both clocks, as in a freeze", "wall and monotonic", "no restore: the cached value is served"],
  ] as const) {
    fault({ group, on, name, expected }, async (see) => {
      const asker = await startAsker({ ...snapStart, clocks });
      const before = await asker.askOnce();
      expect(before.status).toBe(200);
      const { digest } = asker.rotate();
      asker.pass(60_000);
      const answer = await asker.askOnce();
      const names = new Set(toSessionNames(asker));
      const isNew = answer.digest === digest;
      see(
        `${toAnswerText(answer)}, the ${isNew ? "new" : "old"} value; ${names.size} session names in ${toCallCounts(asker)}`,
      );
      expect(answer).toMatchObject({ status: 200, digest: clocks === "wall" ? digest : before.digest });
      expect(names.size).toBe(clocks === "wall" ? 2 : 1);
      expect(asker.aws.count("AssumeRole")).toBe(names.size);
    });
  }
});
