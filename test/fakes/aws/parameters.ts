import { randomBytes } from "node:crypto";

export interface NewParameter {
  readonly account: string;
  readonly region: string;
  /** A path, `/app/database/host`, or a name without a slash. */
  readonly name: string;
  readonly value: string;
  /** Default: String. */
  readonly type?: "String" | "StringList" | "SecureString";
  /** Default: `aws`. */
  readonly partition?: string;
  /** The customer managed key that a SecureString is encrypted with. Default: AWS's own, which every reader may use. */
  readonly kmsKey?: string;
}

export interface ParameterVersion {
  readonly version: number;
  readonly value: string;
  /** What a reader gets of a SecureString who does not ask for decryption. */
  readonly ciphertext: string;
  readonly modifiedAtMs: number;
  readonly labels: readonly string[];
}

export interface Parameter {
  readonly arn: string;
  readonly name: string;
  readonly type: string;
  readonly kmsKey: string | undefined;
  readonly versions: readonly [ParameterVersion, ...ParameterVersion[]];
}

/** The parameters of all accounts and regions. */
export interface ParameterStore {
  createParameter(parameter: NewParameter): { readonly arn: string };
  putParameter(arn: string, value: string): { readonly version: number };
  labelParameter(arn: string, version: number, label: string): void;
  deleteParameter(arn: string): void;
  find(arn: string): Parameter | undefined;
}

/** A name without a slash gets one: https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-access.html */
export const toParameterArn = (place: string, name: string): string => `${place}:parameter/${name.replace(/^\//, "")}`;

export function createParameterStore(now: () => number): ParameterStore {
  const parameters = new Map<string, Parameter>();

  const expectParameter = (arn: string): Parameter => {
    const parameter = parameters.get(arn);
    if (parameter === undefined) throw new Error(`fake AWS: there is no parameter ${arn}`);
    return parameter;
  };
  const toVersion = (version: number, value: string): ParameterVersion => ({
    version,
    value,
    // It begins as that of a real one does.
    ciphertext: `AQICAH${randomBytes(150).toString("base64")}`,
    modifiedAtMs: now(),
    labels: [],
  });

  return {
    createParameter({ account, region, name, value, type = "String", partition = "aws", kmsKey }) {
      const arn = toParameterArn(`arn:${partition}:ssm:${region}:${account}`, name);
      if (parameters.has(arn)) throw new Error(`fake AWS: there is a parameter ${name} already`);
      parameters.set(arn, { arn, name, type, kmsKey, versions: [toVersion(1, value)] });
      return { arn };
    },
    putParameter(arn, value) {
      const parameter = expectParameter(arn);
      const version = parameter.versions.length + 1;
      parameters.set(arn, { ...parameter, versions: [...parameter.versions, toVersion(version, value)] });
      return { version };
    },
    labelParameter(arn, version, label) {
      const { versions, ...parameter } = expectParameter(arn);
      const relabel = (older: ParameterVersion): ParameterVersion => {
        const labels = older.labels.filter((other) => other !== label);
        return { ...older, labels: older.version === version ? [...labels, label] : labels };
      };
      const [first, ...others] = versions;
      parameters.set(arn, { ...parameter, versions: [relabel(first), ...others.map(relabel)] });
    },
    deleteParameter(arn) {
      expectParameter(arn);
      parameters.delete(arn);
    },
    find: (arn) => parameters.get(arn),
  };
}
