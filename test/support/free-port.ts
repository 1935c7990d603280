import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** Below what Linux (32768, ip_local_port_range) and macOS (49152) give to outgoing connections, which would take it meanwhile. */
const LOWEST = 10_000;
const EPHEMERAL = 32_768;

/** A TCP port on 127.0.0.1 that nobody listens on, for a moment at least. */
export async function findFreePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, EPHEMERAL);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(false) : reject(error),
    );
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
