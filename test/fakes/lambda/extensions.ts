import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { createDeferred, type Deferred } from "./deferred.ts";
import type { ErrorReport } from "./failure.ts";
import { createNextCall, type LambdaAnswer, type LambdaReply, type NextCall, toLambdaError } from "./next-call.ts";
import type { RunningProcess } from "./process.ts";

/** The calls of the Extensions API. */
export type ExtensionCall = "register" | "next" | "init/error" | "exit/error";

/** One extension, from its start to its end. */
export interface LambdaExtension {
  readonly name: string;
  readonly identifier: string;
  /** A file in `<opt>/extensions`. Any other name that registers is an internal extension, a part of the runtime. */
  readonly isExternal: boolean;
  readonly registered: Deferred<void>;
  readonly next: NextCall;
  events: ReadonlySet<string>;
  state: "Started" | "Registered" | "Ready" | "Running" | "InitError" | "ExitError";
  reported: ErrorReport | undefined;
  running: RunningProcess | undefined;
}

/** All extensions between one init and the next reset, and the Extensions API's answers to them. */
export interface LambdaExtensions {
  readonly external: readonly LambdaExtension[];
  all(): readonly LambdaExtension[];
  findByIdentifier(identifier: string): LambdaExtension | undefined;
  /** After this, no internal extension can register: the runtime is ready. */
  closeRegistration(): void;
  answer(call: ExtensionCall, headers: IncomingHttpHeaders, body: unknown): LambdaAnswer;
}

/** The limit counts internal and external extensions. https://docs.aws.amazon.com/lambda/latest/dg/lambda-extensions.html */
const EXTENSIONS_LIMIT = 10;
const IDENTIFIER_HEADER = "lambda-extension-identifier";
const ERROR_TYPE_HEADER = "lambda-extension-function-error-type";
const UUID_PATTERN = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The states in which a call is allowed. A second error report is allowed, and the first one counts. */
const ALLOWED_IN: Record<ExtensionCall, readonly LambdaExtension["state"][]> = {
  register: ["Started"],
  next: ["Registered", "Running"],
  "init/error": ["Registered", "InitError"],
  "exit/error": ["Registered", "Ready", "Running", "ExitError"],
};

/** Makes the extensions of one init. None of them is started. */
export function createExtensions(options: {
  readonly names: readonly string[];
  readonly functionName: string;
  readonly handler: string;
  readonly accountId: string;
  readonly initializationType: string;
}): LambdaExtensions {
  const extensions = new Map(options.names.map((name) => [name, createExtension(name, true)]));
  const external = [...extensions.values()];
  let isOpen = true;

  function register(headers: IncomingHttpHeaders, body: unknown): LambdaReply {
    const name = toText(headers["lambda-extension-name"]);
    if (name === "") return toLambdaError("Extension.InvalidExtensionName", "no extension name");
    const events = parseEvents(body);
    if (events === undefined) return toLambdaError("InvalidRequestFormat", "not a list of events");
    const known = extensions.get(name);
    const isExternal = known?.isExternal ?? false;
    for (const event of events) {
      const problem = toEventProblem(event, isExternal, options.initializationType);
      if (problem !== undefined) return toLambdaError("Extension.InvalidEventType", `${event}: ${problem}`);
    }
    if (known !== undefined && !isAllowed(known, "register")) return toStateError(known, "register");
    if (known === undefined && !isOpen) return toLambdaError("Extension.RegistrationClosed", "init is over");
    if (known === undefined && extensions.size >= EXTENSIONS_LIMIT) {
      return toLambdaError("Extension.TooManyExtensions", `more than ${EXTENSIONS_LIMIT} extensions`);
    }
    const extension = known ?? createExtension(name, false);
    extensions.set(name, extension);
    extension.events = new Set(events);
    extension.state = "Registered";
    extension.registered.resolve();
    const { functionName, handler, accountId } = options;
    const features = toText(headers["lambda-extension-accept-feature"]).split(",");
    const asksForAccount = features.some((feature) => feature.trim() === "accountId");
    return {
      status: 200,
      headers: { "lambda-extension-identifier": extension.identifier },
      body: { functionName, functionVersion: "$LATEST", handler, ...(asksForAccount ? { accountId } : {}) },
    };
  }

  function findByIdentifier(identifier: string): LambdaExtension | undefined {
    const isCaller = (extension: LambdaExtension) =>
      extension.identifier === identifier && extension.state !== "Started";
    return [...extensions.values()].find(isCaller);
  }

  return {
    external,
    all: () => [...extensions.values()],
    findByIdentifier,
    closeRegistration() {
      isOpen = false;
    },
    answer(call, headers, body) {
      if (call === "register") return register(headers, body);
      const identifier = toText(headers[IDENTIFIER_HEADER]);
      if (identifier === "")
        return toLambdaError("Extension.MissingExtensionIdentifier", `no ${IDENTIFIER_HEADER} header`);
      if (!UUID_PATTERN.test(identifier))
        return toLambdaError("Extension.InvalidExtensionIdentifier", "identifier is no UUID");
      const errorType = toText(headers[ERROR_TYPE_HEADER]);
      if (call !== "next" && errorType === "")
        return toLambdaError("Extension.MissingHeader", `no ${ERROR_TYPE_HEADER} header`);
      const extension = findByIdentifier(identifier);
      if (extension === undefined)
        return toLambdaError("Extension.UnknownExtensionIdentifier", `${identifier} is unknown`);
      if (!isAllowed(extension, call)) return toStateError(extension, call);
      if (call === "next") {
        extension.state = "Ready";
        return extension.next.wait();
      }
      extension.state = call === "init/error" ? "InitError" : "ExitError";
      extension.reported ??= { call, errorType, body };
      return { status: 202, body: { status: "OK" } };
    },
  };
}

/** Answers the `next` that an extension waits for, now or as soon as it calls it. */
export function deliverTo(extension: LambdaExtension, event: LambdaReply): Promise<void> {
  return extension.next.arrived().then(() => {
    extension.state = "Running";
    extension.next.deliver(event);
  });
}

function createExtension(name: string, isExternal: boolean): LambdaExtension {
  return {
    name,
    identifier: randomUUID(),
    isExternal,
    registered: createDeferred(),
    next: createNextCall(),
    events: new Set(),
    state: "Started",
    reported: undefined,
    running: undefined,
  };
}

function isAllowed(extension: LambdaExtension, call: ExtensionCall): boolean {
  return ALLOWED_IN[call].includes(extension.state);
}

function toStateError(extension: LambdaExtension, call: ExtensionCall): LambdaReply {
  return toLambdaError("Extension.InvalidExtensionState", `${call} is not allowed in state ${extension.state}`);
}

/** `events` is optional. AWS withdrew `configurationKeys`, so it is an error. */
function parseEvents(body: unknown): readonly string[] | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const { events = [], configurationKeys = [] } = body as Record<string, unknown>;
  if (Array.isArray(configurationKeys) && configurationKeys.length > 0) return undefined;
  if (!Array.isArray(events) || !events.every((event) => typeof event === "string")) return undefined;
  return events;
}

function toEventProblem(event: string, isExternal: boolean, initializationType: string): string | undefined {
  if (event === "SHUTDOWN") return isExternal ? undefined : "ShutdownEventNotSupportedForInternalExtension";
  // Managed Instances run many invocations at once, so they announce none.
  if (event === "INVOKE" && initializationType !== "lambda-managed-instances") return undefined;
  return "ErrorInvalidEventType";
}

function toText(header: string | string[] | undefined): string {
  return typeof header === "string" ? header : "";
}
