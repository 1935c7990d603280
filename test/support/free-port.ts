import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { onTestFinished } from "vitest";

/** Lower than the ports that Linux (from 32768, ip_local_port_range) and macOS (from 49152) give to outgoing connections. */
const LOWEST = 10_000;
const EPHEMERAL = 32_768;

/** Finds a TCP port on 127.0.0.1 on which no program listens at the moment. */
export async function findFreePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, EPHEMERAL);
    if (await isFree(port)) return port;
  }
}

/** Listens on a free port until the end of the test, or until `free` is called. */
export async function takePort(): Promise<{ readonly port: number; free(): void }> {
  const port = await findFreePort();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const free = () => void server.close();
  onTestFinished(free);
  return { port, free };
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
