/** What an answer says of how old it is, and where it is from. Pure. */
import { toStatusCode } from "./error-reply.ts";
import type { Named } from "./kind.ts";
import type { Cached } from "./secret-cache.ts";

/** `Age` and `ETag` are HTTP's own (RFC 9110, 9111); `Cache-Status` is RFC 9211. All in whole seconds. */
export function toCacheHeaders({ value, from, ageMs, ttlMs }: Cached<Named>): Record<string, string> {
  return {
    ETag: `"${value.versionId}"`,
    Age: String(Math.floor(ageMs / 1_000)),
    "Cache-Status": `cross-account-secrets; ${toStatus(from, Math.floor(ttlMs / 1_000))}`,
  };
}

function toStatus(from: Cached<Named>["from"], ttlSeconds: number): string {
  if (from === "memory") return `hit; ttl=${ttlSeconds}`;
  return from === "fetch" ? "fwd=miss" : `fwd=stale; fwd-status=${toStatusCode(from.failed)}`;
}
