import { closeSync, openSync } from "node:fs";
import { join } from "node:path";

/**
 * Tells the first init of an execution environment from one inside an invocation. After a function's time-out or crash
 * Lambda starts the extension again, as a new process and on the next invocation's clock, but keeps `/tmp`:
 * https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
 *
 * The file is empty. Where it cannot be made (no space, read-only), every init counts as the first.
 */
export function createInitMarker(folder: string | undefined): () => boolean {
  return () => {
    try {
      closeSync(openSync(join(folder || "/tmp", ".cross-account-secrets-init"), "wx", 0o600));
      return true;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code !== "EEXIST";
    }
  };
}
