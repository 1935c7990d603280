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
  /** The customer managed key that encrypts a SecureString. Default: AWS's own key, which every reader may use. */
  readonly kmsKey?: string;
}

export interface ParameterVersion {
  readonly version: number;
  readonly value: string;
  /** The value of a SecureString for a reader that does not ask for decryption. */
  readonly ciphertext: string;
  readonly modifiedAtMs: number;
  readonly labels: readonly string[];
}

export interface StoredParameter {
  readonly arn: string;
  readonly name: string;
  readonly type: string;
  readonly kmsKey: string | undefined;
  readonly versions: readonly [ParameterVersion, ...ParameterVersion[]];
}

/** The parameters of all accounts and regions. */
export interface FakeParameterStore {
  /** The first version is 1. */
  createParameter(parameter: NewParameter): { readonly arn: string };
  putParameter(arn: string, value: string): { readonly version: number };
  /** A label is on one version at a time. */
  labelParameter(arn: string, version: number, label: string): void;
  deleteParameter(arn: string): void;
  findParameter(arn: string): StoredParameter | undefined;
}

/** A name without a slash gets one: https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-access.html */
export const toParameterArn = (place: string, name: string): string => `${place}:parameter/${name.replace(/^\//, "")}`;

export function createFakeParameterStore(now: () => number): FakeParameterStore {
  const parameters = new Map<string, StoredParameter>();

  const expectParameter = (arn: string): StoredParameter => {
    const parameter = parameters.get(arn);
    if (parameter === undefined) throw new Error(`fake AWS: there is no parameter ${arn}`);
    return parameter;
  };
  const toVersion = (version: number, value: string): ParameterVersion => ({
    version,
    value,
    // A real ciphertext begins like this.
    ciphertext: `AQICAH${randomBytes(150).toString("base64")}`,
    modifiedAtMs: now(),
    labels: [],
  });

  return {
    createParameter({ account, region, name, value, type = "String", partition = "aws", kmsKey }) {
      const arn = toParameterArn(`arn:${partition}:ssm:${region}:${account}`, name);
      if (parameters.has(arn)) throw new Error(`fake AWS: parameter ${name} already exists`);
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
    findParameter: (arn) => parameters.get(arn),
  };
}
