/** A printed line, and the time since the start. */
export interface OutputLine {
  readonly ms: number;
  readonly text: string;
}

export interface WaitForLineOptions {
  /** Which of the matching lines, from 1. Default: the first, past or future. */
  readonly nth?: number;
  /** Default: 10000. */
  readonly timeoutMs?: number;
}

/** The lines that processes print. A caller can wait for a line. */
export interface ProcessOutput {
  readonly lines: readonly OutputLine[];
  /** Settles with the line as soon as it is printed. Rejects after the time-out, and if the processes have ended. */
  waitFor(pattern: RegExp, options?: WaitForLineOptions): Promise<OutputLine>;
  add(text: string): void;
  /** Ends the output, so that all waiting callers fail. */
  end(): void;
}

/** Makes an empty output. Its clock starts at zero. */
export function createOutput(): ProcessOutput {
  const lines: OutputLine[] = [];
  const waiters = new Set<() => void>();
  const startMs = performance.now();
  let hasEnded = false;
  const wakeAll = () => {
    for (const wake of [...waiters]) wake();
  };
  return {
    lines,
    add(text) {
      lines.push({ ms: performance.now() - startMs, text });
      wakeAll();
    },
    end() {
      hasEnded = true;
      wakeAll();
    },
    waitFor(pattern, { nth = 1, timeoutMs = 10_000 } = {}) {
      return new Promise((resolve, reject) => {
        const fail = (why: string) => {
          settle();
          reject(new Error(`no line matches ${pattern} (${why}):\n${lines.map(({ text }) => text).join("\n")}`));
        };
        const timer = setTimeout(() => fail(`in ${timeoutMs} ms`), timeoutMs);
        const settle = () => {
          clearTimeout(timer);
          waiters.delete(look);
        };
        const look = () => {
          const line = lines.filter(({ text }) => pattern.test(text))[nth - 1];
          if (line !== undefined) {
            settle();
            resolve(line);
          } else if (hasEnded) fail("all processes have ended");
        };
        waiters.add(look);
        look();
      });
    },
  };
}
