/**
 * The parts of the extension, wired as main.ts does it, but with a clock of the test's: an hour passes at once. They speak to
 * a fake AWS over real sockets with the real SDK. Knows nothing of vitest, so that a process of its own can use it too.
 */
import { setImmediate as turn } from "node:timers/promises";
import { createBaseCredentials } from "../../extension/aws/base-credentials.ts";
import { createAwsCaller } from "../../extension/aws/call.ts";
import { parseConfig } from "../../extension/config/config.ts";
import { createTokenCheck } from "../../extension/config/token.ts";
import { createSourceParts } from "../../extension/extension.ts";
import { createHttpHandler, type HttpHandler } from "../../extension/http/handler.ts";
import { createHttpServer, type HttpServer } from "../../extension/http/server.ts";
import { createRestorable } from "../../extension/lambda/snapshot.ts";
import { createLogger } from "../../extension/logger.ts";
import { type Counters, createCounters, createMetrics } from "../../extension/metrics.ts";
import { version } from "../../package.json";

export interface VirtualClock {
  readonly now: () => number;
  /** Lets time pass, or with a negative number takes it back. */
  pass(ms: number): void;
  restore(): void;
}

/** Becomes the clock of the whole process: the SDK reads `Date.now`, which `now` is, too. Timers run as ever. */
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
  /** Nothing is under way any more, not even behind a reply. */
  settled(): Promise<void>;
}

export interface VirtualEnvironmentOptions {
  /** As Lambda gives it to a function's processes. */
  readonly environment: Readonly<Record<string, string>>;
  readonly now: () => number;
  /** From 0 to 1, without 1. Default: 0, so that there are no pauses between the tries of one call, which would take real time. */
  readonly random?: () => number;
}

export function createVirtualEnvironment(options: VirtualEnvironmentOptions): VirtualEnvironment {
  const { environment, now, random = () => 0 } = options;
  const { config, problems, logLevel } = parseConfig(environment, (path) => {
    throw new Error(`nothing is to be read, but ${path} was`);
  });
  if (config === undefined) throw new Error(problems.join("\n"));
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const logger = createLogger({ level: logLevel, now, write });
  const counters = createCounters();
  const underWay = new Set<Promise<unknown>>();
  const watch = <T>(work: Promise<T>): Promise<T> => {
    const settled: Promise<unknown> = work.catch(() => {}).finally(() => underWay.delete(settled));
    underWay.add(settled);
    return work;
  };

  const call = createAwsCaller({ logger, now, random });
  const common = {
    config,
    counters,
    loadAwsSdk: () => import("../../extension/aws/sdk.ts"),
    loadAwsSsm: () => import("../../extension/aws/sdk-ssm.ts"),
    logger,
    version,
    now,
    monotonicNow: () => performance.now(),
    random,
    write,
    callAws: ((...args) => watch(call(...args))) as typeof call,
  };
  const shared = { ...common, metrics: createMetrics(common) };
  const behind = { ...shared, baseCredentials: createBaseCredentials(shared) };
  const sources = createRestorable({ ...shared, make: () => config.sources.map(createSourceParts(behind)) });
  const readFile = (path: string): string => {
    throw new Error(`nothing is to be read, but ${path} was`);
  };
  const handler = createHttpHandler({ ...shared, isToken: createTokenCheck({ ...shared, readFile }), sources });
  const server = createHttpServer({ config, handler, inherited: { descriptor: undefined, identifier: undefined } });
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
