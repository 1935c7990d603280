import type { AwsRequest } from "./operation.ts";

/** One request that reached the fake. */
export interface RecordedCall {
  /** The operation that the client named. The fake may not know it. */
  readonly operation: string;
  /** By AWS's clock, in milliseconds since 1970. */
  readonly atMs: number;
  /** The region that it was signed for. */
  readonly region: string;
  readonly userAgent: string;
  /** The ARN of the role session that signed it. Absent until the signature is checked. */
  caller?: string;
  /** `pending`, then `ok`, the code of AWS's error, or the kind of fault: `hang`, `reset`, `reset-mid-body`, `malformed`. */
  outcome: string;
  readonly roleArn?: string;
  readonly roleSessionName?: string;
  readonly externalId?: string;
  readonly durationSeconds?: number;
  /** The session policy, as JSON. */
  readonly policy?: string;
  readonly sourceIdentity?: string;
  /** Session tags. */
  readonly tags?: Readonly<Record<string, string>>;
  readonly secretId?: string;
  readonly versionId?: string;
  readonly versionStage?: string;
  /** The `Name` of GetParameter, with its selector. */
  readonly parameterName?: string;
  readonly withDecryption?: boolean;
}

const TEXTS = {
  RoleArn: "roleArn",
  RoleSessionName: "roleSessionName",
  ExternalId: "externalId",
  Policy: "policy",
  SourceIdentity: "sourceIdentity",
  SecretId: "secretId",
  VersionId: "versionId",
  VersionStage: "versionStage",
  Name: "parameterName",
} as const;

/** Makes the entry of a request that has just arrived. */
export function toRecordedCall(
  { operation, parameters }: AwsRequest,
  facts: { readonly atMs: number; readonly region: string; readonly userAgent: string },
): RecordedCall {
  const texts = Object.entries(TEXTS).flatMap(([parameter, name]) => {
    const value = parameters.get(parameter);
    return value === undefined ? [] : [[name, value]];
  });
  const durationSeconds = parameters.get("DurationSeconds");
  const withDecryption = parameters.get("WithDecryption");
  const tags = parseTags(parameters);
  return {
    operation,
    ...facts,
    ...Object.fromEntries(texts),
    ...(durationSeconds !== undefined && { durationSeconds: Number(durationSeconds) }),
    ...(withDecryption !== undefined && { withDecryption: withDecryption === "true" }),
    ...(Object.keys(tags).length > 0 && { tags }),
    outcome: "pending",
  };
}

/** `Tags.member.1.Key=team&Tags.member.1.Value=payments` */
export function parseTags(parameters: ReadonlyMap<string, string>): Record<string, string> {
  const keys = [...parameters].filter(([name]) => /^Tags\.member\.\d+\.Key$/.test(name));
  return Object.fromEntries(keys.map(([name, key]) => [key, parameters.get(name.replace(/Key$/, "Value")) ?? ""]));
}
