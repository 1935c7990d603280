/** A printed line, and when it came. */
export interface LogLine {
  readonly ms: number;
  readonly text: string;
}

export interface WaitForLogOptions {
  /** Which of the matching lines, from 1. Default: the first, be it past or yet to come. */
  readonly nth?: number;
  /** Default: 10000. */
  readonly timeoutMs?: number;
}

/** What processes print, and a way to wait for it. */
export interface Log {
  readonly lines: readonly LogLine[];
  /** Settles with the line at once when it is printed; rejects with the log's end when it is late or cannot come any more. */
  waitFor(pattern: RegExp, options?: WaitForLogOptions): Promise<LogLine>;
  add(text: string): void;
  /** Nothing will be added: whoever waits, waits in vain. */
  end(): void;
}

/** An empty log, its clock at zero. */
export function createLog(): Log {
  const lines: LogLine[] = [];
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
          } else if (hasEnded) fail("all has ended");
        };
        waiters.add(look);
        look();
      });
    },
  };
}
