#!/usr/bin/env node
/**
 * The program `cross-account-secrets` of the npm package: it gives the named command what the command needs of this machine.
 * It is bundled into one file; the parts of the AWS SDK are other files, which a command loads when it needs them.
 */
import "./require-node.cjs"; // first, because the other imports need that Node.js
import { constants } from "node:os";
import { argv, env, exit, stderr, stdout } from "node:process";
import { createWriter } from "../../extension/logger.ts";
import { version } from "../../package.json";
import { type Commands, dispatch } from "./dispatch.ts";
import { type CommandWorld, toPaint } from "./world.ts";

const commands: Commands = {
  doctor: {
    summary: "says why a secret cannot be read, and which policy to change",
    load: () => import("./doctor/doctor.ts"),
  },
  serve: {
    summary: "serves secrets on this machine, as the layer does in Lambda",
    load: () => import("./serve/serve.ts"),
  },
  policies: {
    summary: "prints the policies that both accounts need, or checks existing ones",
    load: () => import("./policies/policies.ts"),
  },
};

// A reader such as `head` may close the pipe early. Other programs then end by SIGPIPE, but a server goes on without its log.
const isServer = argv[2] === "serve";
if (!isServer) stdout.on("error", () => exit(128 + constants.signals.SIGPIPE));
const isTerminal = stdout.isTTY === true;
const world: CommandWorld = {
  environment: { ...env },
  stdout: isServer ? createWriter(() => stdout) : (text) => void stdout.write(text),
  stderr: createWriter(() => stderr),
  isTerminal,
  paint: toPaint(isTerminal, env),
  now: Date.now,
};

// The SDK is in our bundle, so its warning about the Node.js that its future versions need is not for users.
env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
void dispatch(argv.slice(2), { commands, version, world }).then((exitCode) => exit(exitCode));
