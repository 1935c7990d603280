/** From a parameter to the answer that holds it. Pure. */
import { toCacheHeaders } from "./cache-headers.ts";
import type { ParameterValue } from "./parameter-store.ts";
import { type Reply, toJsonReply } from "./reply.ts";
import type { Cached } from "./secret-cache.ts";

/** The body of AWS's own Parameters and Secrets Lambda extension: every key is always there, in its order. */
export function toParameterReply(parameter: Cached<ParameterValue>): Reply {
  const { value } = parameter;
  const body = {
    Parameter: {
      ARN: value.arn || null,
      DataType: value.dataType ?? null,
      LastModifiedDate: value.lastModifiedDate?.toISOString() ?? null,
      Name: value.name,
      Selector: value.selector ?? null,
      SourceResult: value.sourceResult ?? null,
      Type: value.type,
      Value: value.value ?? null,
      Version: Number(value.versionId),
    },
    ResultMetadata: {},
  };
  return toJsonReply(200, body, toCacheHeaders(parameter));
}
