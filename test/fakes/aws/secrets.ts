import { randomUUID } from "node:crypto";
import { randomText } from "./iam.ts";
import type { PolicyDocument } from "./policies.ts";

/** A value is text or bytes, never both. */
export type SecretContent = { readonly secretString: string } | { readonly secretBinary: Uint8Array };

export type NewSecret = (SecretContent | Record<never, never>) & {
  readonly account: string;
  readonly region: string;
  readonly name: string;
  /** Default: `aws`. */
  readonly partition?: string;
  /** The customer managed key that encrypts it. Default: AWS's own key, which every reader may use. */
  readonly kmsKey?: string;
  /** For a fake with a policy engine. Default: none. */
  readonly resourcePolicy?: PolicyDocument;
};

export interface SecretVersion {
  readonly id: string;
  readonly value: SecretContent;
  readonly createdAtMs: number;
  readonly stages: readonly string[];
}

export interface StoredSecret {
  readonly arn: string;
  readonly account: string;
  readonly region: string;
  readonly name: string;
  readonly kmsKey: string | undefined;
  readonly resourcePolicy: PolicyDocument | undefined;
  readonly versions: readonly SecretVersion[];
  readonly markedForDeletion: boolean;
  /** The ARN of the secret that this one replicates. */
  readonly replicaOf?: string;
}

/** The secrets of all accounts and regions. */
export interface FakeSecretStore {
  /** The ARN gets AWS's six random characters. A secret without a value has no version, and `versionId` is empty. */
  createSecret(secret: NewSecret): { readonly arn: string; readonly versionId: string };
  /** Adds a version. By default it becomes AWSCURRENT, and the version that was AWSCURRENT becomes AWSPREVIOUS. */
  putSecretValue(arn: string, value: SecretContent, stages?: readonly string[]): { readonly versionId: string };
  changeSecret(arn: string, changes: { resourcePolicy: PolicyDocument | undefined }): void;
  /** From now on, the name, the six characters and the versions exist in that region too. */
  replicateSecret(arn: string, region: string): void;
  /** The secret keeps its name, but its value cannot be read. */
  markForDeletion(arn: string): void;
  /** Ends a mark for deletion. */
  restoreSecret(arn: string): void;
  /** The secret is gone, and its name is free again. */
  deleteSecret(arn: string): void;
  findSecret(secretId: string, account: string, region: string): StoredSecret | undefined;
}

export function createFakeSecretStore(now: () => number): FakeSecretStore {
  const secrets = new Map<string, StoredSecret>();

  const expectSecret = (arn: string): StoredSecret => {
    const secret = secrets.get(arn);
    if (secret === undefined) throw new Error(`fake AWS: there is no secret ${arn}`);
    return secret;
  };
  const toVersion = (value: SecretContent, stages: readonly string[]): SecretVersion => ({
    id: randomUUID(),
    value,
    createdAtMs: now(),
    stages,
  });

  return {
    createSecret({ account, region, name, partition = "aws", kmsKey, resourcePolicy, ...value }) {
      const isTaken = (secret: StoredSecret) =>
        secret.account === account && secret.region === region && secret.name === name;
      if ([...secrets.values()].some(isTaken)) throw new Error(`fake AWS: secret ${name} already exists`);
      const suffix = randomText(6, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
      const arn = `arn:${partition}:secretsmanager:${region}:${account}:secret:${name}-${suffix}`;
      const hasValue = "secretString" in value || "secretBinary" in value;
      const versions = hasValue ? [toVersion(value, ["AWSCURRENT"])] : [];
      const owner = { arn, account, region, name, kmsKey, resourcePolicy };
      secrets.set(arn, { ...owner, versions, markedForDeletion: false });
      return { arn, versionId: versions[0]?.id ?? "" };
    },
    putSecretValue(arn, value, stages = ["AWSCURRENT"]) {
      const secret = expectSecret(arn);
      const version = toVersion(value, stages);
      const older = secret.versions.map((other) => ({ ...other, stages: toStagesLeft(other.stages, stages) }));
      const versions = [...older, version];
      for (const [key, other] of secrets) {
        if (key === arn || other.replicaOf === arn) secrets.set(key, { ...other, versions });
      }
      return { versionId: version.id };
    },
    changeSecret(arn, changes) {
      secrets.set(arn, { ...expectSecret(arn), ...changes });
    },
    replicateSecret(arn, region) {
      const original = expectSecret(arn);
      const replica = arn.replace(`:${original.region}:`, `:${region}:`);
      secrets.set(replica, { ...original, arn: replica, region, replicaOf: arn });
    },
    markForDeletion(arn) {
      secrets.set(arn, { ...expectSecret(arn), markedForDeletion: true });
    },
    restoreSecret(arn) {
      secrets.set(arn, { ...expectSecret(arn), markedForDeletion: false });
    },
    deleteSecret(arn) {
      expectSecret(arn);
      secrets.delete(arn);
    },
    findSecret: (secretId, account, region) =>
      [...secrets.values()].find(
        (secret) => secret.account === account && secret.region === region && isCalled(secret, secretId),
      ),
  };
}

/** Returns the stages that an older version keeps: a label is on one version at a time, and AWSCURRENT becomes AWSPREVIOUS. */
function toStagesLeft(stages: readonly string[], taken: readonly string[]): string[] {
  if (taken.includes("AWSCURRENT")) {
    if (stages.includes("AWSCURRENT")) return [...stages.filter((stage) => !taken.includes(stage)), "AWSPREVIOUS"];
    return stages.filter((stage) => stage !== "AWSPREVIOUS" && !taken.includes(stage));
  }
  return stages.filter((stage) => !taken.includes(stage));
}

/**
 * By name, by ARN, or by the ARN without its six characters. The last form fails for a name that itself ends like an ARN:
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen
 */
function isCalled({ name, arn }: StoredSecret, secretId: string): boolean {
  if (secretId === name || secretId === arn) return true;
  return secretId === arn.slice(0, -7) && !/-[A-Za-z0-9]{6}$/.test(name);
}
