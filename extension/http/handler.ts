/**
 * From a local request to its reply. The guards come first, the cheapest at the top; each throws a Failure, which becomes
 * the reply. Then the route answers.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { ValueCache } from "../cache/cache.ts";
import { createRead, resolveSource } from "../cache/resolve.ts";
import type { Config } from "../config/config.ts";
import type { Token } from "../config/token.ts";
import { Failure, toFailure, toPublicText } from "../failure/failure.ts";
import type { Logger } from "../logger.ts";
import type { Counters, Metrics } from "../metrics.ts";
import { memoizeTexts } from "../values/memoize.ts";
import { type ParameterQuery, type ParameterValue, parameterRules } from "../values/parameter.ts";
import { type SecretQuery, type SecretValue, secretRules } from "../values/secret.ts";
import type { Source } from "../values/source.ts";
import type { CallerCheck } from "./caller-check.ts";
import {
  type CachedSecret,
  type Reply,
  toAgentReply,
  toBareReply,
  toErrorReply,
  toExtensionReply,
  toJsonReply,
  toParameterReply,
  toReply,
} from "./replies.ts";
import {
  parseInvalidation,
  parseParameterRequest,
  parsePathRequest,
  parseQueryRequest,
  parseTarget,
  type SecretRequest,
  selectLeniently,
  selectStrictly,
  type Target,
} from "./requests.ts";

export interface LocalRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
}

/** Never rejects: a failure is a reply, too. */
export type HttpHandler = (request: LocalRequest) => Promise<Reply>;

/** A source, and the values that are read with its role. */
export interface SourceCaches {
  readonly source: Source;
  readonly secrets: ValueCache<SecretQuery, SecretValue>;
  readonly parameters: ValueCache<ParameterQuery, ParameterValue>;
}

/**
 * Headers that a proxy adds: the request comes from elsewhere than the function. Every proxy must send `Via`
 * (https://www.rfc-editor.org/rfc/rfc9110#section-7.6.3).
 */
const FORWARDED_HEADERS = ["x-forwarded-for", "forwarded", "via"];

/** AWS's extension accepts the first, AWS's agent both. */
const TOKEN_HEADERS = ["x-aws-parameters-secrets-token", "x-vault-token"];

/** Long enough for an id of 2,048 characters and a role, all percent-encoded. */
const MAX_TARGET_CHARACTERS = 10_240;
/** No route reads a body. */
const MAX_BODY_BYTES = 1_024;

/** Enough for each kept secret, as it is usually asked for. */
const MAX_KNOWN_TARGETS = 1_000;
const MAX_KNOWN_TARGET_CHARACTERS = 512;

/** Answers one target again and again. What depends only on the target is computed once. */
type Answer = () => Promise<Reply>;

interface Route {
  readonly methods: readonly ("GET" | "HEAD" | "POST")[];
  /** As the documentation writes it. */
  readonly path: string;
  readonly pattern: RegExp;
  /** Whether it needs no token. */
  readonly needsNoToken?: boolean;
  /** Whether AWS's extension or agent has it, too. Their clients may have a base address that ends in a slash. */
  readonly isOfAws?: boolean;
  /** Throws a Failure if the request is not valid. */
  readonly toAnswer: (target: Target) => Answer;
}

export function createHttpHandler(deps: {
  readonly config: Config;
  /** After a restore from a snapshot they are others. */
  readonly readers: () => readonly SourceCaches[];
  readonly isTrusted: CallerCheck;
  readonly counters: Counters;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly now: () => number;
  readonly version: string;
}): HttpHandler {
  const { config, readers, isTrusted, counters, metrics, logger, now, version } = deps;
  const hosts = [`127.0.0.1:${config.httpPort}`, `localhost:${config.httpPort}`];
  if (config.httpPort === 80) hosts.push("127.0.0.1", "localhost");
  const lenient = selectLeniently(createIgnoredReport(logger));

  /** THE table. A row is all that a new route needs. */
  const routes: readonly Route[] = [
    {
      methods: ["GET"],
      path: "/secretsmanager/get",
      // Clients of AWS's extension send both with and without the slash.
      pattern: /^\/secretsmanager\/get\/?$/,
      isOfAws: true,
      toAnswer: (target) => readSecret(parseQueryRequest(target, lenient), toExtensionReply),
    },
    {
      methods: ["GET"],
      path: "/systemsmanager/parameters/get",
      pattern: /^\/systemsmanager\/parameters\/get\/?$/,
      isOfAws: true,
      toAnswer: readParameter,
    },
    {
      methods: ["GET"],
      path: "/v1/<secretId>",
      pattern: /^\/v1\//,
      isOfAws: true,
      toAnswer: (target) => readSecret(parsePathRequest(target, "/v1/", lenient), toAgentReply),
    },
    {
      methods: ["GET"],
      path: "/secrets/<secretId>",
      pattern: /^\/secrets\//,
      toAnswer(target) {
        const request = parsePathRequest(target, "/secrets/", selectStrictly, ["key"]);
        return readSecret(request, (secret) => toBareReply(secret, request.key));
      },
    },
    {
      // A GET of the same path asks for a secret whose name ends in /invalid.
      methods: ["POST"],
      path: "/secrets/<secretId>/invalid",
      pattern: /^\/secrets\/.+\/invalid$/,
      toAnswer: (target) => invalidate(parseInvalidation(target, "/secrets/", "/invalid")),
    },
    { methods: ["GET"], path: "/stats", pattern: /^\/stats$/, toAnswer: withoutParameters(stats) },
    {
      // Health checks such as `wget --spider` send HEAD.
      methods: ["GET", "HEAD"],
      path: "/ping",
      pattern: /^\/ping$/,
      needsNoToken: true,
      isOfAws: true,
      toAnswer: withoutParameters(ping),
    },
  ];

  async function answer({ method, target, headers }: LocalRequest): Promise<Reply> {
    if (FORWARDED_HEADERS.some((name) => headers[name] !== undefined)) throw forwarded();
    if (!hosts.includes(headers.host?.toLowerCase() ?? "")) throw foreignHost(hosts);
    const [path = ""] = target.split("?", 1);
    const matching = routes.filter((route) => route.pattern.test(toRoutePath(route, path)));
    const needsNoToken = matching.some((route) => route.needsNoToken);
    if (!needsNoToken && !(await isTrusted(TOKEN_HEADERS.map((name) => headers[name])))) throw badToken(config.token);
    const methods: readonly string[] = matching.length > 0 ? matching.flatMap((route) => route.methods) : ["GET"];
    if (!methods.includes(method)) throw methodNotAllowed(methods);
    if (target.length > MAX_TARGET_CHARACTERS) throw targetTooLong();
    if (toBodyBytes(headers) > MAX_BODY_BYTES) throw bodyTooLarge();
    // Only a caller with the token may fill the memory of known targets.
    const isKept = method === "GET" && !needsNoToken && target.length <= MAX_KNOWN_TARGET_CHARACTERS;
    return (isKept ? toKnownAnswer(target) : toAnswer(target, method))();
  }

  function toAnswer(target: string, method: string): Answer {
    const parsed = parseTarget(target);
    for (const route of routes) {
      const path = toRoutePath(route, parsed.path);
      if (route.methods.some((one) => one === method) && route.pattern.test(path))
        return route.toAnswer({ ...parsed, path });
    }
    throw unknownPath(routes);
  }

  const toKnownAnswer = memoizeTexts((target) => toAnswer(target, "GET"), MAX_KNOWN_TARGETS);

  function readSecret(request: SecretRequest, toSecretReply: (secret: CachedSecret) => Reply): Answer {
    const { allow } = config;
    const read = createRead({ rules: secretRules, request, allow, readers, toCache: ({ secrets }) => secrets });
    return async () => toSecretReply(await read(now() + config.timeoutMs));
  }

  function readParameter(target: Target): Answer {
    const request = parseParameterRequest(target, lenient);
    const { allow } = config;
    const read = createRead({
      rules: parameterRules,
      request,
      allow,
      readers,
      toCache: ({ parameters }) => parameters,
    });
    return async () => toParameterReply(await read(now() + config.parameterTimeoutMs));
  }

  /** Only AWSCURRENT can be reported, so this reads it without a version id. */
  function invalidate(request: SecretRequest): Answer {
    const { secretId, versionId = "" } = request.query;
    return async () => {
      const { source } = resolveSource({ rules: secretRules, ...request }, config.allow, readers());
      await source.secrets.invalidate({ secretId }, versionId, now() + config.timeoutMs);
      return { status: 204, headers: { "Cache-Control": "no-store" }, body: "" };
    };
  }

  function stats(): Reply {
    return toJsonReply(200, { version, ...counters });
  }

  return async (request) => {
    const startedAtEpochMs = now();
    counters.requests += 1;
    try {
      return await answer(request);
    } catch (thrown) {
      const failure = toFailure(thrown);
      counters.failures += 1;
      if (failure.code === "internal") logger.error("bug", { message: toPublicText(thrown) });
      return toErrorReply(failure);
    } finally {
      counters.slowestMs = Math.max(counters.slowestMs, now() - startedAtEpochMs);
      metrics.report();
    }
  };
}

/** The handler of an extension that is switched off. */
export function createDisabledHandler(): HttpHandler {
  const failure = new Failure("disabled", "the extension is switched off", {
    remedy: "unset CROSS_ACCOUNT_SECRETS_ENABLED, or set it to true",
  });
  return async () => toErrorReply(failure);
}

const toRoutePath = ({ isOfAws = false }: Route, path: string): string =>
  isOfAws && path.startsWith("//") ? path.slice(1) : path;

/** Callers choose the names: not more than this many are logged, and only short words, which are no secrets. */
const MAX_IGNORED_NAMES = 100;
const PUBLIC_NAME = /^\w{1,32}$/;

/** Logs each name once. */
function createIgnoredReport(logger: Logger): (name: string) => void {
  const reported = new Set<string>();
  return (name) => {
    const shown = PUBLIC_NAME.test(name) ? name : "a name that is not shown";
    if (reported.has(shown) || reported.size >= MAX_IGNORED_NAMES) return;
    reported.add(shown);
    logger.warn("parameter-ignored", { name: shown });
  };
}

const ping = (): Reply => toReply(200, "text/plain; charset=utf-8", "healthy");

const withoutParameters =
  (toOwnReply: () => Reply): Route["toAnswer"] =>
  ({ parameters }) => {
    selectStrictly(parameters, []);
    return async () => toOwnReply();
  };

const forwarded = () =>
  new Failure("forwarded", "a request with X-Forwarded-For, Forwarded or Via does not come from this function");

const targetTooLong = () =>
  new Failure("target-too-long", `the request target must have at most ${MAX_TARGET_CHARACTERS} characters`);

/** A body in chunks does not tell its length, and Node would read it to its end. */
const toBodyBytes = (headers: IncomingHttpHeaders) =>
  headers["transfer-encoding"] === undefined ? Number(headers["content-length"] ?? 0) : Number.POSITIVE_INFINITY;

const bodyTooLarge = () => new Failure("body-too-large", `a body must have at most ${MAX_BODY_BYTES} bytes`);

const foreignHost = (hosts: readonly string[]) =>
  new Failure("foreign-host", `the Host header must be ${hosts.join(" or ")}`);

const badToken = (token: Token) =>
  new Failure("bad-token", "the token is missing or wrong", {
    remedy: `send the header X-Aws-Parameters-Secrets-Token with ${token.phrase}`,
  });

const methodNotAllowed = (methods: readonly string[]) =>
  new Failure("method-not-allowed", `this path has only ${methods.join(", ")}`, { allow: methods.join(", ") });

function unknownPath(routes: readonly Route[]): Failure {
  const paths = routes.filter(({ methods }) => methods.includes("GET")).map(({ path }) => path);
  return new Failure("unknown-path", `known paths are ${paths.slice(0, -1).join(", ")} and ${paths.at(-1)}`);
}
