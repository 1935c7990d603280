import { execPath } from "node:process";
import { findCounterparts } from "../../../scripts/setup/end-to-end.ts";

/** What a function runs on: the command that the emulator starts, and the files that it needs besides /var/task. */
export interface Runtime {
  /** Empty: `/var/task/bootstrap`. */
  readonly bootstrap: readonly string[];
  /** `_HANDLER`, as the function's configuration names it. */
  readonly handler: string;
  /** Path inside the sandbox -> file or folder of this machine; read-only. */
  readonly files: Readonly<Record<string, string>>;
}

/** `provided.al2023`: the function brings its own `bootstrap`. There is a shell, curl and what else /usr has, but no Node.js. */
export const provided: Runtime = { bootstrap: [], handler: "function.handler", files: {} };

/** A Python function on Lambda's real runtime client: `python("app.handler")`. There is no Node.js. */
export function python(handler: string): Runtime {
  const counterparts = findCounterparts();
  if (counterparts === undefined) throw new Error("no Python runtime: run npx tsx scripts/setup/end-to-end.ts");
  const { venv, pythonPrefix } = counterparts;
  return {
    bootstrap: ["/var/runtime/bin/python3", "-m", "awslambdaric", handler],
    handler,
    files: {
      "/var/runtime": venv,
      // A virtual environment finds its interpreter and library by absolute path. In /usr they are in sight already.
      ...(pythonPrefix.startsWith("/usr") ? {} : { [pythonPrefix]: pythonPrefix }),
    },
  };
}

/** The same, with this machine's Node.js where the `nodejs` runtimes have theirs. */
export const withNode = (runtime: Runtime): Runtime => ({
  ...runtime,
  files: { ...runtime.files, "/var/lang/bin/node": execPath },
});
