#!/usr/bin/env node
/**
 * The command `cross-account-secrets`, which the npm package installs: hands the machine to the command that is asked for.
 * The npm package holds it in one file; what starts with `aws-` is bundled apart, and loaded when a command needs it.
 */
import { env, exit, stderr, stdout } from "node:process";
import { styleText } from "node:util";
import { version } from "../package.json";
import { dispatch, type Entry } from "./cli/dispatch.ts";
import type { CommandWorld } from "./cli/world.ts";

const commands: Readonly<Record<string, Entry>> = {
  serve: {
    summary: "serves secrets on this machine, as the layer does in Lambda",
    load: () => import("./serve.ts"),
  },
};

const isTerminal = stdout.isTTY === true;
const isPlain = !isTerminal || Boolean(env.NO_COLOR) || env.TERM === "dumb";
const world: CommandWorld = {
  environment: { ...env },
  stdout: (text) => void stdout.write(text),
  stderr: (text) => void stderr.write(text),
  isTerminal,
  paint: (style, text) => (isPlain ? text : styleText(style, text)),
  now: Date.now,
};

// Whoever reads no further, as `head` does, has what they wanted.
stdout.on("error", ({ code }: NodeJS.ErrnoException) => exit(code === "EPIPE" ? 0 : 1));
void dispatch(process.argv.slice(2), { commands, version, world }).then((exitCode) => exit(exitCode));
