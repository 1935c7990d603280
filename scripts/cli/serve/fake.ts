/**
 * `--fake`: replaces the AWS SDK by a JSON file with secrets, `{"name": "value" or {…}, …}`. The extension treats its answers
 * like those of AWS. The file is read at every fetch, so that a change looks like a rotation.
 */
import { createHash } from "node:crypto";
import type * as AwsSdk from "../../../extension/aws/sdk.ts";
import type * as AwsSsm from "../../../extension/aws/sdk-ssm.ts";
import type { AwsCredentials } from "../../../extension/config/aws-environment.ts";
import { Failure } from "../../../extension/failure/failure.ts";
import { CommandError, USAGE } from "../world.ts";

/** Throws a CommandError if the file cannot be read or is not a JSON object. */
export function createFakeSdk(deps: {
  readonly path: string;
  readonly readFile: (path: string) => string;
  readonly now: () => number;
}) {
  const { path, readFile, now } = deps;
  parseSecrets(readFile, path);
  /** While the file is edited, only half of it may be written. */
  const read = () => {
    try {
      return parseSecrets(readFile, path);
    } catch (error) {
      throw new Failure("aws-error", error instanceof CommandError ? error.message : "");
    }
  };
  const sdk: typeof AwsSdk = {
    async assumeRole({ RoleArn: roleArn = "" }) {
      const Expiration = new Date(now() + SESSION_MS);
      // The role's ARN becomes the session token, which tells the account of a secret that is named without an ARN.
      const Credentials = { AccessKeyId: FAKE, SecretAccessKey: FAKE, SessionToken: roleArn, Expiration };
      return { answer: { Credentials, ...METADATA }, dateEpochMs: now() };
    },
    connectSecretsManager: () => ({}),
    async getSecretValue({ SecretId: id = "", VersionId, VersionStage }, { region, credentials }) {
      const { partition, account } = toHome(credentials);
      const found = findSecret(read(), id);
      if (found === undefined) throw toSdkError("ResourceNotFoundException");
      const { name, value, arn = `arn:${partition}:secretsmanager:${region}:${account}:secret:${name}` } = found;
      const versionId = toVersionId(value);
      if ((VersionId ?? versionId) !== versionId || (VersionStage ?? CURRENT) !== CURRENT) {
        throw toSdkError("ResourceNotFoundException");
      }
      return {
        ARN: arn.endsWith(`:${name}`) ? `${arn}-${SUFFIX}` : arn,
        Name: name,
        VersionId: versionId,
        VersionStages: [CURRENT],
        CreatedDate: new Date(now()),
        SecretString: value,
        ...METADATA,
      };
    },
    getContainerCredentials: async () => ({ accessKeyId: FAKE, secretAccessKey: FAKE }),
  };
  const ssm: typeof AwsSsm = {
    async getParameter({ Name = "" }, { region, credentials }) {
      const [, id = "", selector] = /^(arn(?::[^:]*){5}|[^:]*)(?::(.*))?$/.exec(Name) ?? [];
      const values = new Map([...read()].map(([key, value]) => [toParameterName(key), value]));
      const named = toParameterName(id);
      const name = [named, `/${named}`, named.slice(1)].find((candidate) => values.has(candidate));
      const value = name === undefined ? undefined : values.get(name);
      if (name === undefined || value === undefined) throw toSdkError("ParameterNotFound");
      if ((selector ?? "1") !== "1") throw toSdkError("ParameterVersionNotFound");
      const { partition, account } = toHome(credentials);
      const resource = `parameter/${name.replace(/^\//, "")}`;
      return {
        Parameter: {
          ARN: `arn:${partition}:ssm:${region}:${account}:${resource}`,
          Name: name,
          Type: "SecureString" as const,
          DataType: "text",
          LastModifiedDate: new Date(now()),
          Version: 1,
          Value: value,
          ...(selector === undefined ? {} : { Selector: `:${selector}` }),
        },
        ...METADATA,
      };
    },
  };
  return { loadAwsSdk: async () => sdk, loadAwsSsm: async () => ssm };
}

const FAKE = "FAKE";
const CURRENT = "AWSCURRENT";
const SESSION_MS = 3_600_000;
const SUFFIX = "FaKe00";
const METADATA = { $metadata: { httpStatusCode: 200, requestId: "fake" } };

/** The parser's message is not used, because it would quote the file. */
function parseSecrets(readFile: (path: string) => string, path: string): ReadonlyMap<string, string> {
  let text: string;
  try {
    text = readFile(path);
  } catch (error) {
    throw new CommandError(USAGE, `--fake ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  let parsed: unknown;
  try {
    // `trim` also removes the byte order mark, which Windows writes.
    parsed = JSON.parse(text.trim());
  } catch {
    // Rejected below.
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new CommandError(USAGE, `--fake ${path} is not a JSON object in UTF-8, {"name": "value" or {…}, …}`);
  }
  return new Map(
    Object.entries(parsed).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]),
  );
}

/**
 * Finds a secret. Both the key in the file and the id that is asked for may be a name, or an ARN with or without the six
 * characters that AWS appends. Two ARNs must be of the same account and region.
 */
function findSecret(values: ReadonlyMap<string, string>, id: string) {
  const asked = toNames(id);
  const found = [...values].flatMap(([key, value]) => {
    const named = toNames(key);
    const common = asked.names.find((candidate) => named.names.includes(candidate));
    if (common === undefined || (asked.place !== named.place && asked.place && named.place)) return [];
    const [arn, other] = [id, key].filter((text) => text.startsWith("arn:")).sort((a, b) => b.length - a.length);
    const [name = common] = other === undefined || arn === undefined ? [] : toNames(arn).names.slice(-1);
    return [{ name, value, arn }];
  });
  // If two secrets may be meant, the name that needs no guess about its last characters is.
  return found.sort((a, b) => b.name.length - a.name.length)[0];
}

/** The names that an id may mean: the end of an ARN may be random characters, or a part of the name. */
function toNames(id: string): { readonly place?: string | undefined; readonly names: readonly string[] } {
  const [, place, resource] = /^(arn:.*?):secret:(.*)$/.exec(id) ?? [];
  return resource === undefined
    ? { names: [id] }
    : { place, names: [resource, resource.replace(/-[A-Za-z0-9]{6}$/, "")] };
}

/** A path begins with a slash. For a name of one part, the ARN does not tell whether it has one. */
function toParameterName(id: string): string {
  const [, name = id] = /^arn:.*?:parameter\/(.*)$/.exec(id) ?? [];
  return name !== id && name.includes("/") ? `/${name}` : name;
}

function toHome({ sessionToken = "" }: AwsCredentials) {
  const [, partition = "aws", account = ""] = /^arn:([^:]*):iam::(\d*):/.exec(sessionToken) ?? [];
  return { partition, account };
}

/** A hash of the value, in the form of AWS's version IDs. */
function toVersionId(value: string): string {
  const hash = createHash("sha256").update(value).digest("hex");
  return hash.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** An error like those of the SDK. */
const toSdkError = (name: string) =>
  Object.assign(new Error(name), { name, $fault: "client", $metadata: { httpStatusCode: 400, requestId: "fake" } });
