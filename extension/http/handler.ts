/**
 * One local request, from the guards to the answer. Guards stand in a column, cheapest first; each throws the Failure
 * that its refusal becomes.
 */
import type { IncomingHttpHeaders } from "node:http";
import { memoizeTexts } from "../cache/memoize.ts";
import { chooseSource, createFinder } from "../cache/resolve.ts";
import type { Config } from "../config/config.ts";
import { type Token, whereItStands } from "../config/token.ts";
import type { SourceParts } from "../extension.ts";
import { Failure, toFailure, toPublicText } from "../failure/failure.ts";
import type { Logger } from "../logger.ts";
import type { Counters, Metrics } from "../metrics.ts";
import { parameterRules } from "../values/parameter.ts";
import { secretRules } from "../values/secret.ts";
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
  expectOnly,
  parseInvalidation,
  parseParameterRequest,
  parsePathRequest,
  parseQueryRequest,
  parseTarget,
  type SecretRequest,
  type Target,
} from "./requests.ts";

export interface LocalRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
}

type Route = () => Promise<Reply>;

/** Never rejects: what goes wrong is an answer. */
export type HttpHandler = (request: LocalRequest) => Promise<Reply>;

/** What a proxy adds (RFC 7239 and its forerunner): then the request is not the function's own, but one that it was talked into. */
const FORWARDED_HEADERS = ["x-forwarded-for", "forwarded"];

/** An id of 2,048 characters and a role, all of them percent-encoded. */
const MAX_TARGET_CHARACTERS = 10_240;
/** None of ours has one that anybody reads. */
const MAX_BODY_BYTES = 1_024;

/** Ways to answer that are kept: one for each secret that is kept, as it is usually asked for. */
const MAX_KNOWN = 1_000;
const MAX_KNOWN_CHARACTERS = 512;

/** AWS's extension knows the first, AWS's agent both. */
const TOKEN_HEADERS = ["x-aws-parameters-secrets-token", "x-vault-token"];

export function createHttpHandler(parts: {
  readonly config: Config;
  readonly sources: () => readonly Omit<SourceParts, "credentials">[];
  readonly isToken: (header: string | string[] | undefined) => boolean;
  readonly counters: Counters;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly now: () => number;
  readonly version: string;
}): HttpHandler {
  const { config, sources, isToken, counters, metrics, logger, now, version } = parts;
  const common = { allow: config.allow, sources };
  const hosts = [`127.0.0.1:${config.httpPort}`, `localhost:${config.httpPort}`];
  if (config.httpPort === 80) hosts.push("127.0.0.1", "localhost");

  async function answer({ method, target, headers }: LocalRequest): Promise<Reply> {
    if (FORWARDED_HEADERS.some((name) => headers[name] !== undefined)) throw forwarded();
    if (!hosts.includes(headers.host?.toLowerCase() ?? "")) throw foreignHost(hosts);
    const isPing = /^\/ping(\?|$)/.test(target);
    if (!isPing && !TOKEN_HEADERS.some((name) => isToken(headers[name]))) throw badToken(config.token);
    const known = INVALIDATION.test(target) ? ["GET", "POST"] : ["GET"];
    if (!known.includes(method)) throw methodNotAllowed(known);
    if (target.length > MAX_TARGET_CHARACTERS) throw targetTooLong();
    if (toBodyBytes(headers) > MAX_BODY_BYTES) throw bodyTooLarge();
    if (isPing) return ping(parseTarget(target));
    if (method === "POST") return invalidate(parseInvalidation(parseTarget(target), SECRETS, INVALID));
    return (target.length > MAX_KNOWN_CHARACTERS ? toRoute(target) : toKnownRoute(target))();
  }

  /** From what is asked for to the way to answer it, whoever asks, and whenever. */
  function toRoute(target: string): Route {
    const parsed = parseTarget(target);
    const { path } = parsed;
    if (EXTENSION.test(path)) return toSecretRoute(parseQueryRequest(parsed), toExtensionReply);
    if (path.startsWith(AGENT)) return toSecretRoute(parsePathRequest(parsed, AGENT, []), toAgentReply);
    if (path.startsWith(SECRETS)) {
      const request = parsePathRequest(parsed, SECRETS, ["key"]);
      return toSecretRoute(request, (secret) => toBareReply(secret, request.key));
    }
    if (PARAMETERS.test(path)) {
      const request = parseParameterRequest(parsed);
      const find = createFinder({ ...common, rules: parameterRules, request, toCache: ({ parameters }) => parameters });
      return async () => toParameterReply(await find(now() + config.parameterTimeoutMs));
    }
    if (path === STATS) return async () => stats(parsed);
    throw unknownPath();
  }

  const toKnownRoute = memoizeTexts(toRoute, MAX_KNOWN);

  function toSecretRoute(request: SecretRequest, toSecretReply: (secret: CachedSecret) => Reply): Route {
    const find = createFinder({ ...common, rules: secretRules, request, toCache: ({ secrets }) => secrets });
    return async () => toSecretReply(await find(now() + config.timeoutMs));
  }

  /** The version that was refused is that of the secret as it is now: AWSCURRENT's, under no version id of its own. */
  async function invalidate(request: SecretRequest): Promise<Reply> {
    const { secretId, versionId = "" } = request.query;
    const { source } = chooseSource({ rules: secretRules, ...request }, config.allow, sources());
    await source.secrets.invalidate({ secretId }, versionId, now() + config.timeoutMs);
    return { status: 204, headers: { "Cache-Control": "no-store" }, body: "" };
  }

  function stats({ parameters }: Target): Reply {
    expectOnly(parameters, []);
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

/** Of an extension that is switched off. */
export function createDisabledHandler(): HttpHandler {
  const failure = new Failure("disabled", "the extension is switched off", {
    remedy: "unset CROSS_ACCOUNT_SECRETS_ENABLED, or set it to true",
  });
  return async () => toErrorReply(failure);
}

const STATS = "/stats";
const AGENT = "/v1/";
/** Clients of AWS's extension send both with and without the slash. */
const EXTENSION = /^\/secretsmanager\/get\/?$/;
const PARAMETERS = /^\/systemsmanager\/parameters\/get\/?$/;
const SECRETS = "/secrets/";
const INVALID = "/invalid";
/** A GET of the same path asks for a secret whose name ends so. */
const INVALIDATION = /^\/secrets\/[^?]+\/invalid(\?|$)/;

function ping({ parameters }: Target): Reply {
  expectOnly(parameters, []);
  return toReply(200, "text/plain; charset=utf-8", "healthy");
}

const forwarded = () =>
  new Failure("forwarded", "a request with X-Forwarded-For or Forwarded is not from this function");

const targetTooLong = () =>
  new Failure("target-too-long", `the request target must be ${MAX_TARGET_CHARACTERS} characters at the most`);

/** One that comes in chunks does not tell its length, and Node would read it to its end. */
const toBodyBytes = (headers: IncomingHttpHeaders) =>
  headers["transfer-encoding"] === undefined ? Number(headers["content-length"] ?? 0) : Number.POSITIVE_INFINITY;

const bodyTooLarge = () => new Failure("body-too-large", `a body must be ${MAX_BODY_BYTES} bytes at the most`);

const foreignHost = (hosts: readonly string[]) =>
  new Failure("foreign-host", `the Host header must be ${hosts.join(" or ")}`);

const badToken = (token: Token) =>
  new Failure("bad-token", "the token is missing or wrong", {
    remedy: `send the header X-Aws-Parameters-Secrets-Token with ${whereItStands(token)}`,
  });

const methodNotAllowed = (known: readonly string[]) =>
  new Failure("method-not-allowed", `known here: ${known.join(", ")}`, { allow: known.join(", ") });

const unknownPath = () =>
  new Failure(
    "unknown-path",
    "known paths are /secretsmanager/get, /systemsmanager/parameters/get, /v1/<secretId>, /secrets/<secretId>, /stats and /ping",
  );
