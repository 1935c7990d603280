import type { Accounts } from "./accounts.ts";
import type { Iam } from "./iam.ts";
import type { KmsKeys } from "./keys.ts";
import type { FakeParameterStore } from "./parameters.ts";
import type { AuthenticatedCaller, FindDenial } from "./permissions.ts";
import type { FakeSecretStore } from "./secrets.ts";
import type { ReceivedRequest } from "./signature.ts";
import type { AwsService } from "./wire.ts";

/** The operation that a request asks for, before permission is checked. */
export interface AwsRequest {
  readonly service: AwsService;
  /** The name that the client gives; empty if it gives none. */
  readonly operation: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** Everything that an operation needs. */
export interface OperationContext {
  readonly caller: AuthenticatedCaller;
  readonly request: AwsRequest;
  /** The region that the request was signed for. */
  readonly region: string;
  readonly requestId: string;
  readonly findDenial: FindDenial;
  readonly iam: Iam;
  readonly accounts: Accounts;
  readonly keys: KmsKeys;
  readonly secrets: FakeSecretStore;
  readonly parameters: FakeParameterStore;
}

/** How the header X-Amz-Target begins. */
const TARGETS = { "secretsmanager.": "secretsmanager", "AmazonSSM.": "ssm" } as const;

/**
 * All services share one URL here, so the protocol tells which service is meant: JSON 1.1 names its operation in a header, the
 * query protocol in a form. A later check compares it with the service that the signature names.
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

/** Returns the parameters that are strings or booleans. The fake knows no others. */
function parseJsonParameters(json: string): Map<string, string> {
  try {
    const entries = Object.entries(JSON.parse(json) as object);
    const known = entries.filter(([, value]) => typeof value === "string" || typeof value === "boolean");
    return new Map(known.map(([name, value]) => [name, String(value)]));
  } catch {
    return new Map();
  }
}
