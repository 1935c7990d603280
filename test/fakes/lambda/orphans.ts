/** How to end each process group that is running. */
const killers = new Set<() => void>();
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Sees to it that a process group ends with this process: one of its own gets no Ctrl-C from the terminal, and an
 * extension goes on when Lambda is gone. Returns how to stop watching. A SIGKILL cannot be watched.
 */
export function killWithUs(kill: () => void): () => void {
  if (killers.size === 0) watch();
  killers.add(kill);
  return () => {
    killers.delete(kill);
    if (killers.size === 0) unwatch();
  };
}

function watch(): void {
  process.on("exit", killAll);
  for (const signal of SIGNALS) process.on(signal, endWith);
}

function unwatch(): void {
  process.off("exit", killAll);
  for (const signal of SIGNALS) process.off(signal, endWith);
}

function killAll(): void {
  for (const kill of killers) kill();
}

/** A listener switches off what a signal does by itself, so it is sent again; unless others listen, who then decide. */
function endWith(signal: NodeJS.Signals): void {
  killAll();
  unwatch();
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
}
