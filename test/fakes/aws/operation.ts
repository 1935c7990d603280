import type { Accounts } from "./accounts.ts";
import type { Iam } from "./iam.ts";
import type { Keys } from "./keys.ts";
import type { ParameterStore } from "./parameters.ts";
import type { Caller, DenialOf } from "./permissions.ts";
import type { SecretStore } from "./secrets.ts";
import type { ReceivedRequest } from "./signature.ts";
import type { AwsService } from "./wire.ts";

/** What a request asks for, before anybody has checked whether it may. */
export interface AwsRequest {
  readonly service: AwsService;
  /** As the client names it; empty if it names none. */
  readonly operation: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** All that an operation may look at. */
export interface OperationContext {
  readonly caller: Caller;
  readonly request: AwsRequest;
  /** The region that the request was signed for. */
  readonly region: string;
  readonly requestId: string;
  readonly denialOf: DenialOf;
  readonly iam: Iam;
  readonly accounts: Accounts;
  readonly keys: Keys;
  readonly secrets: SecretStore;
  readonly parameters: ParameterStore;
}

/** What a JSON target begins with. */
const TARGETS = { "secretsmanager.": "secretsmanager", "AmazonSSM.": "ssm" } as const;

/**
 * All services share one URL here, so the protocol tells which of them is meant: JSON 1.1 names its operation in a header, the
 * query protocol in a form. Whether the signature names the same service is checked later.
 */
export function parseAwsRequest({ target, headers, body }: ReceivedRequest): AwsRequest {
  const jsonTarget = headers["x-amz-target"];
  if (jsonTarget !== undefined) {
    const [prefix, service] = Object.entries(TARGETS).find(([start]) => jsonTarget.startsWith(start)) ?? [];
    const operation = jsonTarget.slice(prefix?.length ?? 0);
    return { service: service ?? "secretsmanager", operation, parameters: parseJsonParameters(body.toString()) };
  }
  const parameters = new Map([
    ...new URLSearchParams(target.split("?", 2)[1]),
    ...new URLSearchParams(body.toString()),
  ]);
  return { service: "sts", operation: parameters.get("Action") ?? "", parameters };
}

/** Those that are text or a truth value, as all that the fake knows are. */
function parseJsonParameters(json: string): Map<string, string> {
  try {
    const entries = Object.entries(JSON.parse(json) as object);
    const known = entries.filter(([, value]) => typeof value === "string" || typeof value === "boolean");
    return new Map(known.map(([name, value]) => [name, String(value)]));
  } catch {
    return new Map();
  }
}
