/** Finds the modules that a program has loaded when it registers as an extension, while it waits for Lambda's answer. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { basename } from "node:path";
import { execPath } from "node:process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { findFreePort } from "./free-port.ts";
import { TARGET_ROLE_ARN } from "./two-accounts.ts";

const PROBE = fileURLToPath(new URL("../fixtures/loaded-modules.cjs", import.meta.url));

export interface LoadedModules {
  /** Node's public modules. Node's internal modules are left out. */
  readonly builtIn: readonly string[];
  readonly files: readonly string[];
}

export async function findLoadedAtRegistration(program: string): Promise<LoadedModules> {
  const server = createServer(() => child.kill("SIGUSR2"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const environment = {
    AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
    AWS_REGION: "eu-west-1",
    AWS_SESSION_TOKEN: "token",
    CROSS_ACCOUNT_SECRETS_LOG_LEVEL: "none",
    CROSS_ACCOUNT_SECRETS_ROLE_ARN: TARGET_ROLE_ARN,
    CROSS_ACCOUNT_SECRETS_HTTP_PORT: String(await findFreePort()),
  };
  const child = spawn(execPath, ["--require", PROBE, program], {
    env: environment,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const printed = await text(child.stdout);
  server.close();
  server.closeAllConnections();
  const { builtIn, files }: LoadedModules = JSON.parse(printed);
  const named = builtIn.flatMap((entry) => /^NativeModule ((?!internal\/|_)\S+)$/.exec(entry)?.[1] ?? []);
  return { builtIn: named, files: files.filter((file) => file !== PROBE).map((file) => basename(file)) };
}
