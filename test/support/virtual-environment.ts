/**
 * The extension on a clock that the test controls, so that an hour passes at once. It speaks to a fake AWS over real
 * sockets with the real SDK. It does not use vitest, so that a separate process can use it, too.
 */
import { setImmediate as turn } from "node:timers/promises";
import { createAwsCaller } from "../../extension/aws/call.ts";
import { parseConfig } from "../../extension/config/config.ts";
import { createExtension } from "../../extension/extension.ts";
import type { HttpHandler } from "../../extension/http/handler.ts";
import { createHttpServer, type HttpServer } from "../../extension/http/server.ts";
import { createLogger } from "../../extension/logger.ts";
import type { Counters } from "../../extension/metrics.ts";
import { version } from "../../package.json";

export interface VirtualClock {
  readonly now: () => number;
  /** Lets time pass, or with a negative number takes it back. */
  pass(ms: number): void;
  restore(): void;
}

/** Replaces the clock of the whole process: the SDK reads `Date.now`. Timers run in real time. */
export function installVirtualClock(): VirtualClock {
  const real = Date.now;
  let aheadMs = 0;
  const now = () => real() + aheadMs;
  Date.now = now;
  return {
    now,
    pass(ms) {
      aheadMs += ms;
    },
    restore() {
      Date.now = real;
    },
  };
}

export interface VirtualEnvironment {
  readonly handler: HttpHandler;
  readonly server: HttpServer;
  readonly counters: Readonly<Counters>;
  readonly token: string;
  /** What was logged. */
  readonly lines: readonly string[];
  /** Resolves when no call to AWS is in flight, not even one behind a reply. */
  settled(): Promise<void>;
}

export interface VirtualEnvironmentOptions {
  /** The variables that Lambda sets for a function's processes. */
  readonly environment: Readonly<Record<string, string>>;
  readonly now: () => number;
  /** From 0 to 1, without 1. Default: 0, so that the tries of one call have no pauses, which would take real time. */
  readonly random?: () => number;
}

export function createVirtualEnvironment(options: VirtualEnvironmentOptions): VirtualEnvironment {
  const { environment, now, random = () => 0 } = options;
  const readFile = (path: string): string => {
    throw new Error(`no file was expected to be read, but ${path} was`);
  };
  const { config, problems, logLevel } = parseConfig(environment, readFile);
  if (config === undefined) throw new Error(problems.join("\n"));
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const logger = createLogger({ level: logLevel, now, write });
  const underWay = new Set<Promise<unknown>>();
  const watch = <T>(work: Promise<T>): Promise<T> => {
    const settled: Promise<unknown> = work.catch(() => {}).finally(() => underWay.delete(settled));
    underWay.add(settled);
    return work;
  };

  const call = createAwsCaller({ logger, now, random });
  const { handler, counters } = createExtension({
    config,
    logger,
    version,
    now,
    monotonicNow: () => performance.now(),
    random,
    write,
    readFile,
    loadAwsSdk: () => import("../../extension/aws/sdk.ts"),
    loadAwsSsm: () => import("../../extension/aws/sdk-ssm.ts"),
    callAws: ((...args) => watch(call(...args))) as typeof call,
  });
  const server = createHttpServer({
    config,
    handler,
    handover: { descriptor: undefined, identifier: undefined },
    readFile: () => "",
  });
  return {
    handler,
    server,
    counters,
    token: config.token.text,
    lines,
    async settled() {
      do {
        await Promise.all(underWay);
        await turn();
      } while (underWay.size > 0);
    },
  };
}
