/** Lives a random life: an extension, a fake AWS and a clock, and a judge who watches them. */
import { createRead } from "../../../extension/cache/resolve.ts";
import { createExtension } from "../../../extension/extension.ts";
import { parameterRules } from "../../../extension/values/parameter.ts";
import { secretRules } from "../../../extension/values/secret.ts";
import type { Source } from "../../../extension/values/source.ts";
import { withTimersOf } from "../../simulate/clock.ts";
import { createConfig } from "../config.ts";
import { REGION } from "../values.ts";
import { createLifeAws, toTry } from "./aws.ts";
import { createCallTrace, silent } from "./calls.ts";
import { createLifeClock, settle } from "./clock.ts";
import { type Complaint, createJudge } from "./judge.ts";
import { FAILOVER_REGION, type Life, type LifeSettings, ROLES, refusals, type Step, TIMEOUT_MS } from "./life.ts";
import {
  configuredParameters,
  type LifeRequest,
  PLAIN_FORM,
  toConfiguredIds,
  toLifeRequests,
  toPrefetched,
} from "./requests.ts";

const START_EPOCH_MS = Date.UTC(2026, 0, 1);
const MAX_BYTES = 8_388_608;
/** Far more calls than the answers to a life's calls can lead to. */
const MAX_ROUNDS = 10;
const givenConfig = createConfig();

function toConfig({ sources, isConfigured, hasFailover, ttlMs, maxStaleMs, cacheSize }: LifeSettings) {
  const toSource = (nth: number): Source => {
    const roleArn = ROLES[nth] ?? "";
    const secretIds = isConfigured ? toConfiguredIds(nth) : [];
    return {
      ...givenConfig.sources[0],
      roleArn,
      home: { region: REGION, accountId: roleArn.split(":")[4] ?? "" },
      secretIds,
      prefetchIds: secretIds,
      parameterNames: isConfigured ? configuredParameters : [],
    };
  };
  return {
    ...givenConfig,
    ...{ ttlMs, parameterTtlMs: ttlMs, maxStaleMs, cacheSize, timeoutMs: TIMEOUT_MS, parameterTimeoutMs: TIMEOUT_MS },
    allow: isConfigured ? ("configured" as const) : ("any" as const),
    failoverRegion: hasFailover ? FAILOVER_REGION : undefined,
    sources: [toSource(0), ...(sources === 2 ? [toSource(1)] : [])] as const,
  };
}

/** Takes the steps until one breaks a promise. Returns what was broken then, and how many reads were hits. */
export function live(life: Life): Promise<{ readonly complaints: readonly Complaint[]; readonly hits: number }> {
  const clock = createLifeClock(START_EPOCH_MS);
  return withTimersOf(clock, async () => {
    const { settings } = life;
    const config = toConfig(settings);
    const requests = toLifeRequests(life);
    let ticks = 0;
    const tick = () => {
      ticks += 1;
      return ticks;
    };
    const judge = createJudge({ clock, settings, tick });
    const meanings = [...requests, ...toPrefetched(settings)];
    const trace = createCallTrace({ clock, settings, meanings, tick, onRenewal: judge.onRenewal });
    const aws = createLifeAws({ clock, trace, onFetch: judge.onFetch });
    judge.watch({ trace, aws });
    const { now, monotonicNow } = clock;
    const { readers, prefetch, counters } = createExtension({
      config,
      logger: silent,
      version: "1.2.3",
      now,
      monotonicNow,
      random: () => settings.random,
      write() {},
      readFile: () => "",
      callAws: trace.callAws,
      loadAwsSdk: async () => aws.sdk as never,
      loadAwsSsm: async () => aws.ssm,
    });

    let deadlines = 0;
    /** Each request has its own part of a millisecond, so that its calls can be told from those of others. */
    function toDeadlineEpochMs(): number {
      deadlines += 1;
      return now() + TIMEOUT_MS - deadlines / 1_024;
    }

    function get({ kind, query, roleArn }: LifeRequest, refreshNow: boolean) {
      const shared = { request: { query, refreshNow, roleArn }, allow: config.allow, readers };
      const read =
        kind === "secret"
          ? createRead({ ...shared, rules: secretRules, toCache: ({ secrets }) => secrets })
          : createRead({ ...shared, rules: parameterRules, toCache: ({ parameters }) => parameters });
      return read(toDeadlineEpochMs());
    }

    function read(request: LifeRequest, refreshNow: boolean): void {
      const begun = judge.begin(refreshNow ? "refreshNow" : "read", request);
      get(request, refreshNow).then(
        (cached) => judge.served(begun, cached),
        (thrown: unknown) => judge.failed(begun, thrown),
      );
    }

    const reporting = new Set<string>();

    /** A report is about the version that a plain request gets. */
    function invalidate(given: LifeRequest): void {
      const request = { ...given, form: PLAIN_FORM };
      const { secretId } = request.query;
      const versionId = judge.findVersion(request);
      const reader = request.source === undefined ? undefined : readers()[request.source];
      if (request.kind !== "secret" || versionId === undefined || reader === undefined) return;
      const begun = judge.begin("invalidate", request);
      const before = ticks;
      // A later report joins the fetch for the first, and promises no more than that.
      const report = `${request.source} ${request.name} ${versionId}`;
      const isFirst = !reporting.has(report);
      if (isFirst) reporting.add(report);
      reader.secrets
        .invalidate({ secretId }, versionId, toDeadlineEpochMs())
        .then(
          () => {
            judge.end(begun);
            // A report that starts or joins no fetch was about a version that is not held.
            if (ticks > before && isFirst) judge.reported(begun, versionId);
          },
          (thrown: unknown) => judge.failed(begun, thrown),
        )
        .finally(() => isFirst && reporting.delete(report));
    }

    async function answerAll(): Promise<void> {
      for (let round = 0; round < MAX_ROUNDS && aws.pending().length > 0; round += 1) {
        for (const pending of aws.pending()) pending.answer();
        await settle();
      }
    }

    async function take(step: Step): Promise<void> {
      const request = requests["which" in step ? step.which % requests.length : 0];
      const pending = "nth" in step ? aws.pending()[step.nth % Math.max(1, aws.pending().length)] : undefined;
      if (request === undefined) return;
      switch (step.kind) {
        case "read":
          await clock.pass(1);
          return read(request, step.refreshNow);
        case "fetch":
          await clock.pass(1);
          read(request, step.refreshNow);
          await settle();
          return answerAll();
        case "invalidate":
          await clock.pass(1);
          return invalidate(request);
        case "prefetch": {
          await clock.pass(1);
          const begun = judge.begin("prefetch", request);
          const end = () => judge.end(begun);
          void prefetch().then(end, end);
          return;
        }
        case "answer":
          return pending?.answer();
        case "answer all":
          return answerAll();
        case "fail":
          return pending?.fail(!settings.hasRefusals && refusals.includes(step.fault) ? "throttled" : step.fault);
        case "pass":
          judge.passed(step.ms);
          return clock.pass(step.ms);
        case "freeze":
          clock.freeze(step.ms);
          judge.jumped(step.ms, true);
          trace.look();
          // What came during the freeze waits in the sockets.
          if (step.answersFirst) await answerAll();
          return clock.pass(0);
        case "step":
          clock.step(step.ms);
          return judge.jumped(step.ms, false);
        case "rotate":
          aws.toState(request).version += 1;
          return;
        case "create again": {
          if (!settings.hasRefusals) return;
          const state = aws.toState(request);
          state.generation += 1;
          state.version += 1;
          state.firstVersion = state.version;
          return judge.createdAgain();
        }
        case "revoke":
          if (settings.hasRefusals) aws.revoke();
      }
    }

    /** Reads all that is in memory at one moment, while AWS does not answer. */
    async function lookIntoMemory(): Promise<void> {
      const held = new Map<string, Map<number, number>>();
      for (const request of requests) {
        const bytesByTry = held.get(`${request.kind} ${request.source}`) ?? new Map<number, number>();
        held.set(`${request.kind} ${request.source}`, bytesByTry);
        get(request, false).then(
          ({ value, from }) => {
            if (from === "fetch") return;
            bytesByTry.set(toTry(value), "type" in value ? 1 : (value.secretBinary?.length ?? 1));
          },
          () => {},
        );
      }
      await settle();
      for (const [cache, bytesByTry] of held) {
        const bytes = [...bytesByTry.values()].reduce((sum, each) => sum + each, 0);
        const most = settings.ttlMs === 0 ? 0 : Math.ceil(settings.cacheSize / settings.sources);
        if (bytesByTry.size > most || bytes > MAX_BYTES / settings.sources)
          judge.complain("evicted or held", `${cache}: ${bytesByTry.size} values with ${bytes} bytes are held`);
      }
    }

    if (settings.hasSession) {
      for (const { credentials } of readers()) credentials.get(now() + TIMEOUT_MS).catch(() => {});
      await settle();
      await answerAll();
    }
    for (const step of life.steps) {
      await take(step);
      trace.look();
      await settle();
      judge.look();
      if (judge.complaints.length > 0) return { complaints: judge.complaints, hits: counters.hits };
    }
    // What was frozen has a second deadline.
    await clock.pass(3 * TIMEOUT_MS);
    trace.look();
    judge.look();
    if (judge.countWaiting() > 0) judge.complain("an answer in time", `${judge.countWaiting()} still wait`);
    await lookIntoMemory();
    return { complaints: judge.complaints, hits: counters.hits };
  });
}
