/**
 * The four calls of the Lambda Extensions API.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
 */
import { request } from "node:http";
import { PublicError } from "../failure/failure.ts";
import type { Logger } from "../logger.ts";
import type { Handover } from "./handover.ts";

export interface ShutdownEvent {
  readonly reason: string;
  /** When Lambda kills the process. */
  readonly deadlineEpochMs: number;
}

export interface ExtensionsApi {
  /** Registers for SHUTDOWN only. With INVOKE, every invocation would wait for us, and Managed Instances refuse it. */
  register(): Promise<void>;
  /** The first call ends init. Blocks, through any freeze, until Lambda shuts the environment down. */
  untilShutdown(): Promise<ShutdownEvent>;
  /** Allowed between `register` and the first `untilShutdown`. The process must end afterwards. */
  initError(type: string, message: string): Promise<void>;
  /** Allowed at any time. The process must end afterwards. */
  exitError(type: string, message: string): Promise<void>;
}

/** Lambda requires the extension's file name in /opt/extensions. */
const EXTENSION_NAME = "cross-account-secrets";
/** The pause after an event that we did not register for, so that Lambda is not polled in a tight loop. */
const STRANGE_EVENT_PAUSE_MS = 100;
/** The codes of a poll that Lambda had accepted. Any other code means that Lambda was never reached. */
const LOST_CODES = ["ECONNRESET", "EPIPE", "ETIMEDOUT"];
const REGISTER_RETRIES_MS = [50, 100, 200, 400];

export function createExtensionsApi(deps: {
  /** `host:port`, from AWS_LAMBDA_RUNTIME_API. Undefined outside Lambda. */
  readonly runtimeApi: string | undefined;
  /** If the launcher has registered, `register` does nothing. */
  readonly handover: Handover;
  readonly logger: Logger;
}): ExtensionsApi {
  let identifier = deps.handover.identifier;

  function call(
    method: "GET" | "POST",
    path: string,
    headers: Record<string, string>,
    body = "",
  ): Promise<ApiResponse> {
    const identity = identifier === undefined ? {} : { "Lambda-Extension-Identifier": identifier };
    const url = `http://${deps.runtimeApi}/2020-01-01/extension/${path}`;
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
      if (!deps.runtimeApi)
        throw new PublicError("AWS_LAMBDA_RUNTIME_API is not set: it is Lambda that starts this program");
      const headers = { "Lambda-Extension-Name": EXTENSION_NAME };
      const body = JSON.stringify({ events: ["SHUTDOWN"] });
      const answer = await retry(() => call("POST", "register", headers, body));
      const given = answer.headers["lambda-extension-identifier"];
      if (answer.status !== 200 || typeof given !== "string") throw rejected("register", answer);
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
            : rejected("event/next", answer);
        // Init is over. If the process ended now, a function that can still be served would crash.
        deps.logger.error("poll-lost", answer instanceof Error ? { code: answer.code } : { status: answer.status });
        return await new Promise<never>(() => {});
      }
    },

    initError: (type, message) => report("init/error", type, message),
    exitError: (type, message) => report("exit/error", type, message),
  };
}

interface ApiResponse {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

/**
 * Uses `node:http` instead of `fetch`, which gives up after 300 s without an answer: `event/next` blocks while the
 * environment is frozen. There is no agent and no time-out.
 */
function send(url: string, method: string, headers: Record<string, string>, body: string): Promise<ApiResponse> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, agent: false, headers }, (response) => {
      const { statusCode: status = 0, headers } = response;
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.on("end", () => resolve({ status, headers, body })).on("error", reject);
      // This event comes last. After "end" or "error" it has no effect.
      response.on("close", () => reject(new Error("the body ended too early")));
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** Tries again after 5xx and connection errors. A 4xx is final. */
async function retry(attempt: () => Promise<ApiResponse>): Promise<ApiResponse> {
  for (const delayMs of REGISTER_RETRIES_MS) {
    const answer = await attempt().catch(() => undefined);
    if (answer !== undefined && answer.status < 500) return answer;
    await new Promise((resolve) => setTimeout(resolve, delayMs));
  }
  return attempt();
}

/** Lambda sends SHUTDOWN as text/plain, so only the body is used. */
function parseEvent(body: string): { eventType?: string; shutdownReason?: string; deadlineMs?: number } {
  try {
    return JSON.parse(body) ?? {};
  } catch {
    return {};
  }
}

const rejected = (path: string, { status }: ApiResponse) =>
  new PublicError(`${path} was answered with status ${status}`);
