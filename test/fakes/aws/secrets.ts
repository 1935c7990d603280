import { randomUUID } from "node:crypto";
import { randomText } from "./iam.ts";
import type { PolicyDocument } from "./policies.ts";

/** A value is text or bytes, never both. */
export type SecretValue = { readonly secretString: string } | { readonly secretBinary: Uint8Array };

export type NewSecret = (SecretValue | Record<never, never>) & {
  readonly account: string;
  readonly region: string;
  readonly name: string;
  /** Default: `aws`. */
  readonly partition?: string;
  /** The customer managed key that it is encrypted with. Default: AWS's own, which every reader may use. */
  readonly kmsKey?: string;
  /** In a fake with a policy engine. Default: none. */
  readonly resourcePolicy?: PolicyDocument;
};

export interface SecretVersion {
  readonly id: string;
  readonly value: SecretValue;
  readonly createdAtMs: number;
  readonly stages: readonly string[];
}

export interface Secret {
  readonly arn: string;
  readonly account: string;
  readonly region: string;
  readonly name: string;
  readonly kmsKey: string | undefined;
  readonly resourcePolicy: PolicyDocument | undefined;
  readonly versions: readonly SecretVersion[];
  readonly markedForDeletion: boolean;
  /** Of the secret that it follows. */
  readonly replicaOf?: string;
}

/** The secrets of all accounts and regions. */
export interface SecretStore {
  createSecret(secret: NewSecret): { readonly arn: string; readonly versionId: string };
  putSecretValue(arn: string, value: SecretValue, stages?: readonly string[]): { readonly versionId: string };
  changeSecret(arn: string, changes: { resourcePolicy: PolicyDocument | undefined }): void;
  replicateSecret(arn: string, region: string): void;
  markForDeletion(arn: string): void;
  restoreSecret(arn: string): void;
  deleteSecret(arn: string): void;
  find(secretId: string, account: string, region: string): Secret | undefined;
}

export function createSecretStore(now: () => number): SecretStore {
  const secrets = new Map<string, Secret>();

  const expectSecret = (arn: string): Secret => {
    const secret = secrets.get(arn);
    if (secret === undefined) throw new Error(`fake AWS: there is no secret ${arn}`);
    return secret;
  };
  const toVersion = (value: SecretValue, stages: readonly string[]): SecretVersion => ({
    id: randomUUID(),
    value,
    createdAtMs: now(),
    stages,
  });

  return {
    createSecret({ account, region, name, partition = "aws", kmsKey, resourcePolicy, ...value }) {
      const isTaken = (secret: Secret) =>
        secret.account === account && secret.region === region && secret.name === name;
      if ([...secrets.values()].some(isTaken)) throw new Error(`fake AWS: there is a secret ${name} already`);
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
    find: (secretId, account, region) =>
      [...secrets.values()].find(
        (secret) => secret.account === account && secret.region === region && isCalled(secret, secretId),
      ),
  };
}

/** A label stands on one version at a time; the version that loses AWSCURRENT becomes AWSPREVIOUS. */
function toStagesLeft(stages: readonly string[], taken: readonly string[]): string[] {
  if (taken.includes("AWSCURRENT")) {
    if (stages.includes("AWSCURRENT")) return [...stages.filter((stage) => !taken.includes(stage)), "AWSPREVIOUS"];
    return stages.filter((stage) => stage !== "AWSPREVIOUS" && !taken.includes(stage));
  }
  return stages.filter((stage) => !taken.includes(stage));
}

/**
 * By name, by ARN, or by the ARN without its six characters; the last not for a name that itself ends like one:
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen
 */
function isCalled({ name, arn }: Secret, secretId: string): boolean {
  if (secretId === name || secretId === arn) return true;
  return secretId === arn.slice(0, -7) && !/-[A-Za-z0-9]{6}$/.test(name);
}
