import { randomUUID } from "node:crypto";
import type { OperationContext } from "./operation.ts";
import type { PolicyDocument } from "./policies.ts";

export interface KeyOptions {
  readonly policy: PolicyDocument;
  readonly state: "enabled" | "disabled" | "pending deletion";
}

/** Customer managed keys. One that nobody created is enabled, and has no policy. */
export interface Keys {
  createKey(key: { account: string; region: string; policy: PolicyDocument }): { readonly arn: string };
  changeKey(arn: string, changes: Partial<KeyOptions>): void;
  find(arn: string): KeyOptions | undefined;
}

export function createKeys(): Keys {
  const keys = new Map<string, KeyOptions>();
  return {
    createKey({ account, region, policy }) {
      const arn = `arn:aws:kms:${region}:${account}:key/${randomUUID()}`;
      keys.set(arn, { policy, state: "enabled" });
      return { arn };
    },
    changeKey(arn, changes) {
      const key = keys.get(arn);
      if (key === undefined) throw new Error(`fake AWS: there is no key ${arn}`);
      keys.set(arn, { ...key, ...changes });
    },
    find: (arn) => keys.get(arn),
  };
}

/**
 * Why KMS does not decrypt what this key encrypted, in its own words where it has some; undefined if it does. AWS's own keys
 * may be used by every reader. Recorded for a disabled key and for one to be deleted: links in secrets-manager.ts and
 * systems-manager.ts. Not verified: that permission comes before the key's state.
 */
export async function problemOfDecrypt(
  { caller, region, requestId, keys, denialOf }: OperationContext,
  kmsKey: string | undefined,
  service: "secretsmanager" | "ssm",
): Promise<"denied" | { readonly message: string } | undefined> {
  if (kmsKey === undefined) return undefined;
  const { policy: resourcePolicy, state = "enabled" } = keys.find(kmsKey) ?? {};
  const context = {
    "kms:ViaService": `${service}.${region}.amazonaws.com`,
    "kms:CallerAccount": caller.session.account,
  };
  const denial = await denialOf(caller, { action: "kms:Decrypt", resource: kmsKey, context, resourcePolicy });
  if (denial !== undefined) return "denied";
  if (state === "enabled") return undefined;
  const code = state === "disabled" ? "DisabledException" : "KMSInvalidStateException";
  const source = `Service: AWSKMS; Status Code: 400; Error Code: ${code}; Request ID: ${requestId}; Proxy: null`;
  return { message: `${kmsKey} is ${state}. (${source})` };
}
