/**
 * The four calls of the Lambda Extensions API.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
 */
import { request } from "node:http";
import { readBody } from "../aws/client.ts";
import { PublicError } from "../failure/failure.ts";
import type { Logger } from "../logger.ts";
import type { Handover } from "./handover.ts";

export interface ShutdownEvent {
  readonly reason: string;
  /** When Lambda kills what is left of us. */
  readonly deadlineEpochMs: number;
}

export interface ExtensionsApi {
  /** Registers for SHUTDOWN alone: for INVOKE, every invocation would wait for us, and Managed Instances refuse it. */
  register(): Promise<void>;
  /** The first call says that init is over. Blocks, over any freeze, until Lambda shuts the environment down. */
  untilShutdown(): Promise<ShutdownEvent>;
  /** Only between `register` and the first `untilShutdown`. The process has to end afterwards. */
  initError(type: string, message: string): Promise<void>;
  /** At any time. The process has to end afterwards. */
  exitError(type: string, message: string): Promise<void>;
}

/** Lambda wants the file name of the extension under /opt/extensions. */
const EXTENSION_NAME = "cross-account-secrets";
/** Before the next poll after an event that we did not ask for, so that an odd Lambda is not polled in a loop. */
const STRANGE_EVENT_PAUSE_MS = 100;
/** How a poll ends that had been accepted: what comes before that says that Lambda was never reached. */
const LOST_CODES = ["ECONNRESET", "EPIPE", "ETIMEDOUT"];
const REGISTER_RETRIES_MS = [50, 100, 200, 400];

export function createExtensionsApi(parts: {
  /** `host:port`, from AWS_LAMBDA_RUNTIME_API; unset where this is not Lambda. */
  readonly runtimeApi: string | undefined;
  /** Its registration, if there is one; then there is nothing to register. */
  readonly handover: Handover;
  readonly logger: Logger;
}): ExtensionsApi {
  let identifier = parts.handover.identifier;

  function call(method: "GET" | "POST", path: string, headers: Record<string, string>, body = ""): Promise<Answer> {
    const identity = identifier === undefined ? {} : { "Lambda-Extension-Identifier": identifier };
    const url = `http://${parts.runtimeApi}/2020-01-01/extension/${path}`;
    return send(url, method, { "Content-Type": "application/json", ...identity, ...headers }, body);
  }

  async function report(path: "init/error" | "exit/error", errorType: string, errorMessage: string): Promise<void> {
    await call(
      "POST",
      path,
      { "Lambda-Extension-Function-Error-Type": errorType },
      JSON.stringify({ errorMessage, errorType, stackTrace: [] }),
    );
  }

  return {
    async register() {
      if (identifier !== undefined) return;
      if (!parts.runtimeApi)
        throw new PublicError("AWS_LAMBDA_RUNTIME_API is not set: it is Lambda that starts this program");
      const headers = { "Lambda-Extension-Name": EXTENSION_NAME };
      const body = JSON.stringify({ events: ["SHUTDOWN"] });
      const answer = await retry(() => call("POST", "register", headers, body));
      const given = answer.headers["lambda-extension-identifier"];
      if (answer.status !== 200 || typeof given !== "string") throw refusal("register", answer);
      identifier = given;
    },

    async untilShutdown() {
      for (let polls = 0; ; polls += 1) {
        const answer = await call("GET", "event/next", {}).catch((error: NodeJS.ErrnoException) => error);
        if (!(answer instanceof Error) && answer.status === 200) {
          const { eventType, shutdownReason, deadlineMs } = parseEvent(answer.body);
          if (eventType === "SHUTDOWN")
            return { reason: shutdownReason ?? "unknown", deadlineEpochMs: deadlineMs ?? 0 };
          await new Promise((resolve) => setTimeout(resolve, STRANGE_EVENT_PAUSE_MS));
          continue;
        }
        const neverWorked = polls === 0 && !(answer instanceof Error && LOST_CODES.includes(answer.code ?? ""));
        if (neverWorked)
          throw answer instanceof Error
            ? new PublicError("event/next cannot be reached")
            : refusal("event/next", answer);
        // Init is over: whoever leaves now crashes a function that can still be served.
        parts.logger.error("poll-lost", answer instanceof Error ? { code: answer.code } : { status: answer.status });
        return await new Promise<never>(() => {});
      }
    },

    initError: (type, message) => report("init/error", type, message),
    exitError: (type, message) => report("exit/error", type, message),
  };
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

/**
 * `node:http` and not `fetch`, which gives up after 300 s without an answer: `event/next` blocks for as long as the
 * environment is frozen. No agent, no time-out.
 */
function send(url: string, method: string, headers: Record<string, string>, body: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, agent: false, headers }, (response) => {
      const { statusCode: status = 0, headers } = response;
      readBody(response).then((body) => resolve({ status, headers, body: body.toString("utf8") }), reject);
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** Tries again on 5xx and on connection errors; a 4xx is final. */
async function retry(attempt: () => Promise<Answer>): Promise<Answer> {
  for (const delayMs of REGISTER_RETRIES_MS) {
    const answer = await attempt().catch(() => undefined);
    if (answer !== undefined && answer.status < 500) return answer;
    await new Promise((resolve) => setTimeout(resolve, delayMs));
  }
  return attempt();
}

/** Lambda's content type for SHUTDOWN is text/plain, so that the body alone is believed. */
function parseEvent(body: string): { eventType?: string; shutdownReason?: string; deadlineMs?: number } {
  try {
    return JSON.parse(body) ?? {};
  } catch {
    return {};
  }
}

const refusal = (path: string, { status }: Answer) => new PublicError(`${path} was answered with status ${status}`);
