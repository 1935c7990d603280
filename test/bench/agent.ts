/** AWS's agent, aws-workload-credentials-provider, by itself: started, and asked once, so that it has its secret. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { findFreePort } from "../support/free-port.ts";
import type { Aws } from "./aws.ts";
import { startProgram, toVariables } from "./extension.ts";

export interface Agent {
  readonly port: number;
  readonly pid: number;
  close(): Promise<void>;
}

/** Settles when it answers a ping. What is not set has its default. */
export async function startAgent(program: string, aws: Aws, settings: Record<string, number> = {}): Promise<Agent> {
  const [port, cwd] = await Promise.all([findFreePort(), mkdtemp(join(tmpdir(), "bench-agent-"))]); // it writes a log there
  const config = join(cwd, "agent.toml");
  const lines = Object.entries({ http_port: port, ...settings }).map(([name, value]) => `${name} = ${value}\n`);
  await writeFile(config, lines.join(""));
  const command = [program, "sm", "start", "--config", config] as const;
  const running = await startProgram({ command, cwd, environment: { HOME: cwd, ...toVariables({ aws, port }) } });
  const close = async () => {
    await running.close();
    await rm(cwd, { recursive: true, force: true });
  };
  for (let leftMs = 5_000; ; leftMs -= 10) {
    const answer = await fetch(`http://127.0.0.1:${port}/ping`).catch(() => undefined);
    if (answer?.ok) return { port, pid: running.pid, close };
    if (leftMs > 0) await wait(10);
    else {
      await close();
      throw new Error(`${program} does not answer a ping`);
    }
  }
}
