/**
 * One local request, from the guards to the answer. Guards stand in a column, cheapest first; each throws the Failure
 * that its refusal becomes.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Config } from "./config.ts";
import type { Counters } from "./counters.ts";
import { toErrorReply } from "./error-reply.ts";
import { Failure, toFailure, toPublicText } from "./errors.ts";
import type { Logger } from "./logger.ts";
import { type Reply, toReply } from "./reply.ts";
import type { SecretCache } from "./secret-cache.ts";
import { isCalled, mayBeSameSecret } from "./secret-id.ts";
import { toBareReply, toExtensionReply } from "./secret-reply.ts";
import {
  expectOnly,
  parseInvalidation,
  parsePathRequest,
  parseQueryRequest,
  parseTarget,
  type SecretRequest,
  type Target,
} from "./secret-request.ts";

export interface LocalRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
}

/** Never rejects: what goes wrong is an answer. */
export type HttpHandler = (request: LocalRequest) => Promise<Reply>;

const ANY = Symbol("any secret");

/** AWS's extension knows the first, AWS's agent both. */
const TOKEN_HEADERS = ["x-aws-parameters-secrets-token", "x-vault-token"];

export function createHttpHandler(parts: {
  readonly config: Config;
  readonly cache: SecretCache;
  readonly counters: Counters;
  readonly logger: Logger;
  readonly now: () => number;
}): HttpHandler {
  const { config, cache, counters, logger, now } = parts;
  const hosts = [`127.0.0.1:${config.httpPort}`, `localhost:${config.httpPort}`];
  if (config.httpPort === 80) hosts.push("127.0.0.1", "localhost");
  const tokenHash = toHash(config.token);
  const { home } = config;

  async function answer({ method, target, headers }: LocalRequest): Promise<Reply> {
    if (headers["x-forwarded-for"] !== undefined) throw forwarded();
    if (!hosts.includes(headers.host?.toLowerCase() ?? "")) throw foreignHost(hosts);
    const isPing = /^\/ping(\?|$)/.test(target);
    if (!isPing && !TOKEN_HEADERS.some((name) => isToken(headers[name]))) throw badToken();
    const known = INVALIDATION.test(target) ? ["GET", "POST"] : ["GET"];
    if (!known.includes(method)) throw methodNotAllowed(known);
    const parsed = parseTarget(target);
    if (isPing) return ping(parsed);
    const { parse, toSecretReply } = method === "POST" ? invalidation : findRoute(parsed.path);
    const request = parse(parsed);
    if (request.roleArn !== undefined && request.roleArn !== config.roleArn) throw roleNotAllowed();
    const allowed = findAllowed(request.query.secretId);
    if (allowed.length === 0) throw secretNotAllowed();
    const deadlineEpochMs = now() + config.timeoutMs;
    if (toSecretReply === undefined) return invalidate(request, deadlineEpochMs);
    const secret = await cache.get(request.query, { deadlineEpochMs, refreshNow: request.refreshNow });
    // Two spellings that may call one secret may also call two: what AWS answered settles it.
    if (!allowed.some((id) => id === ANY || isCalled(secret.value, id))) throw secretNotAllowed();
    return toSecretReply(secret, request.key);
  }

  /** One side of a comparison that takes as long whatever the caller guessed, and however long. */
  function isToken(header: string | string[] | undefined): boolean {
    return typeof header === "string" && timingSafeEqual(toHash(header), tokenHash);
  }

  /** The version that was refused is that of the secret as it is now: AWSCURRENT's, under no version id of its own. */
  async function invalidate({ query: { secretId, versionId = "" } }: SecretRequest, deadlineEpochMs: number) {
    await cache.invalidate({ secretId }, versionId, deadlineEpochMs);
    return { status: 204, headers: { "Cache-Control": "no-store" }, body: "" };
  }

  /** The configured ids that may call the same secret. */
  const findAllowed = (secretId: string): readonly (string | typeof ANY)[] =>
    config.allow === "any" ? [ANY] : config.secretIds.filter((id) => mayBeSameSecret(secretId, id, home));

  return async (request) => {
    counters.requests += 1;
    try {
      return await answer(request);
    } catch (thrown) {
      const failure = toFailure(thrown);
      if (failure.code === "internal") logger.error("bug", { message: toPublicText(thrown) });
      return toErrorReply(failure);
    }
  };
}

interface Route {
  readonly parse: (target: Target) => SecretRequest;
  /** Undefined where the answer is not a secret. */
  readonly toSecretReply: typeof toBareReply | undefined;
}

const SECRETS = "/secrets/";
const INVALID = "/invalid";
/** A GET of the same path asks for a secret whose name ends so. */
const INVALIDATION = /^\/secrets\/[^?]+\/invalid(\?|$)/;

const invalidation: Route = {
  parse: (target) => parseInvalidation(target, SECRETS, INVALID),
  toSecretReply: undefined,
};

function findRoute(path: string): Route {
  if (path === "/secretsmanager/get") return { parse: parseQueryRequest, toSecretReply: toExtensionReply };
  if (path.startsWith(SECRETS)) {
    return { parse: (target) => parsePathRequest(target, SECRETS), toSecretReply: toBareReply };
  }
  throw new Failure("unknown-path", "known paths are /secretsmanager/get, /secrets/<secretId> and /ping");
}

function ping({ parameters }: Target): Reply {
  expectOnly(parameters, []);
  return toReply(200, "text/plain; charset=utf-8", "healthy");
}

const toHash = (text: string): Buffer => createHash("sha256").update(text).digest();

const forwarded = () => new Failure("forwarded", "a request with X-Forwarded-For is not from this function");

const foreignHost = (hosts: readonly string[]) =>
  new Failure("foreign-host", `the Host header must be ${hosts.join(" or ")}`);

const badToken = () =>
  new Failure("bad-token", "the token is missing or wrong", {
    remedy:
      "send the header X-Aws-Parameters-Secrets-Token with the value of AWS_SESSION_TOKEN, or of CROSS_ACCOUNT_SECRETS_TOKEN where that is set",
  });

const methodNotAllowed = (known: readonly string[]) =>
  new Failure("method-not-allowed", `known here: ${known.join(", ")}`, { allow: known.join(", ") });

const roleNotAllowed = () => new Failure("not-allowed", "roleArn is not the configured target role");

const secretNotAllowed = () =>
  new Failure("not-allowed", "the secret is not among the configured ones", {
    remedy: "add it to CROSS_ACCOUNT_SECRETS_SECRET_IDS, or set CROSS_ACCOUNT_SECRETS_ALLOW to any",
  });
