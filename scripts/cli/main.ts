#!/usr/bin/env node
/**
 * The command `cross-account-secrets`, which the npm package installs: hands the machine to the command that is asked for.
 * The npm package holds it in one file; what it needs of the AWS SDK is bundled apart, and loaded by the command that needs it.
 */
import { constants } from "node:os";
import { env, exit, stderr, stdout } from "node:process";
import { version } from "../../package.json";
import { dispatch, type Entry } from "./dispatch.ts";
import { type CommandWorld, toPaint } from "./world.ts";

const commands: Readonly<Record<string, Entry>> = {
  doctor: {
    summary: "says why a secret cannot be read, and which policy to mend",
    load: () => import("./doctor/doctor.ts"),
  },
  serve: {
    summary: "serves secrets on this machine, as the layer does in Lambda",
    load: () => import("./serve/serve.ts"),
  },
  policies: {
    summary: "prints the policies that both accounts need, or checks those they have",
    load: () => import("./policies/policies.ts"),
  },
};

const isTerminal = stdout.isTTY === true;
const world: CommandWorld = {
  environment: { ...env },
  stdout: (text) => void stdout.write(text),
  stderr: (text) => void stderr.write(text),
  isTerminal,
  paint: toPaint(isTerminal, env),
  now: Date.now,
};

// The SDK is bundled with us, and its advice about the Node.js that future versions of it want is for us.
env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
// Whoever reads no further, as `head` does, has what they wanted: other programs end by SIGPIPE then.
stdout.on("error", () => exit(128 + constants.signals.SIGPIPE));
void dispatch(process.argv.slice(2), { commands, version, world }).then((exitCode) => exit(exitCode));
