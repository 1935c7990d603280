import { execPath } from "node:process";
import { findCounterparts } from "../../../scripts/setup/end-to-end.ts";

/** The runtime of a function: the command that the emulator starts, and the files that it needs besides /var/task. */
export interface Runtime {
  /** The command. If it is empty, the command is `/var/task/bootstrap`. */
  readonly bootstrap: readonly string[];
  /** `_HANDLER`, from the function's configuration. */
  readonly handler: string;
  /** Files and folders of this machine by their path inside the sandbox. They are read-only. */
  readonly files: Readonly<Record<string, string>>;
}

/** `provided.al2023`: the function brings its own `bootstrap`. It has a shell, curl and everything else in /usr, but no Node.js. */
export const provided: Runtime = { bootstrap: [], handler: "function.handler", files: {} };

/** A Python function on Lambda's real runtime client: `python("app.handler")`. It has no Node.js. */
export function python(handler: string): Runtime {
  const counterparts = findCounterparts();
  if (counterparts === undefined) throw new Error("no Python runtime: run npx tsx scripts/setup/end-to-end.ts");
  const { venv, pythonPrefix } = counterparts;
  return {
    bootstrap: ["/var/runtime/bin/python3", "-m", "awslambdaric", handler],
    handler,
    files: {
      "/var/runtime": venv,
      // A virtual environment finds its interpreter and library by absolute path. The sandbox already has those in /usr.
      ...(pythonPrefix.startsWith("/usr") ? {} : { [pythonPrefix]: pythonPrefix }),
    },
  };
}

/** Adds this machine's Node.js at the path that it has in the `nodejs` runtimes. */
export const withNode = (runtime: Runtime): Runtime => ({
  ...runtime,
  files: { ...runtime.files, "/var/lang/bin/node": execPath },
});
