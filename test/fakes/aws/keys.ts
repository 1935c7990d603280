import { randomUUID } from "node:crypto";
import type { OperationContext } from "./operation.ts";
import type { PolicyDocument } from "./policies.ts";

export interface KeyOptions {
  readonly policy: PolicyDocument;
  readonly state: "enabled" | "disabled" | "pending deletion" | "pending import" | "deleted";
}

/** The customer managed keys. A key that was not created here counts as enabled and without a policy. */
export interface KmsKeys {
  createKey(key: { account: string; region: string; policy: PolicyDocument }): { readonly arn: string };
  changeKey(arn: string, changes: Partial<KeyOptions>): void;
  findKey(arn: string): KeyOptions | undefined;
}

export function createKmsKeys(): KmsKeys {
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
    findKey: (arn) => keys.get(arn),
  };
}

/**
 * Returns why KMS does not decrypt with this key, in KMS's own words if it has any, or undefined if it decrypts. Every reader
 * may use AWS's own keys. Recorded for a disabled key and for a key that is to be deleted: links in secrets-manager.ts and
 * systems-manager.ts; from KMS itself for the others: localstack's tests/aws/services/kms/test_kms.snapshot.json. Not verified:
 * that KMS checks permission before the key's state.
 */
export async function findDecryptProblem(
  { caller, region, requestId, keys, findDenial }: OperationContext,
  kmsKey: string | undefined,
  service: "secretsmanager" | "ssm",
): Promise<"denied" | { readonly message: string } | undefined> {
  if (kmsKey === undefined) return undefined;
  const { policy: resourcePolicy, state = "enabled" } = keys.findKey(kmsKey) ?? {};
  const context = {
    "kms:ViaService": `${service}.${region}.amazonaws.com`,
    "kms:CallerAccount": caller.session.account,
  };
  const denial = await findDenial(caller, { action: "kms:Decrypt", resource: kmsKey, context, resourcePolicy });
  if (denial !== undefined) return "denied";
  if (state === "enabled") return undefined;
  const code = CODES[state] ?? "KMSInvalidStateException";
  const source = `(Service: AWSKMS; Status Code: 400; Error Code: ${code}; Request ID: ${requestId}; Proxy: null)`;
  const text = state === "deleted" ? `Key '${kmsKey}' does not exist` : `${kmsKey} is ${state}.`;
  return { message: `${text} ${source}` };
}

const CODES: Partial<Record<KeyOptions["state"], string>> = {
  disabled: "DisabledException",
  deleted: "NotFoundException",
};
