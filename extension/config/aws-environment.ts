/** AWS's own variables in the function's environment, as far as they reach the SDK. */
import { X509Certificate } from "node:crypto";
import type { Environment, Problem } from "./setting-rules.ts";
import { REGION_PATTERN } from "./settings.ts";

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** An HTTP endpoint that gives credentials. SnapStart has one, because a snapshot must not hold credentials. */
export interface ContainerCredentials {
  readonly uri: string;
  /** What the endpoint requires: a token, or the path of a file with one. */
  readonly token: string | undefined;
  readonly tokenFile: string | undefined;
}

/** Everything that the SDK gets from the function's own AWS variables. */
export interface AwsEnvironment {
  readonly region: string;
  /** If it is given, it is used instead of `credentials`. */
  readonly containerCredentials: ContainerCredentials | undefined;
  readonly credentials: AwsCredentials | undefined;
  readonly endpoints: {
    readonly sts: string | undefined;
    readonly secretsManager: string | undefined;
    readonly ssm: string | undefined;
  };
  readonly clientOptions: {
    readonly useFipsEndpoint: boolean;
    readonly useDualstackEndpoint: boolean;
    /** Certificates in PEM that are trusted beside Node's own. */
    readonly caBundle?: string | undefined;
  };
}

const HTTP_URL = /^https?:\/\//;
const HTTP_URL_RULE = "an http or https URL";

/** Adds every unusable value to `problems`. */
export function parseAwsEnvironment(
  environment: Environment,
  problems: Problem[],
  readFile: (path: string) => string,
): AwsEnvironment {
  const read = (name: string) => environment[name]?.trim() || undefined;
  const region = read("AWS_REGION");
  if (region === undefined || !REGION_PATTERN.test(region)) {
    problems.push({ name: "AWS_REGION", rule: "a region, as Lambda sets it", got: region });
  }
  const flag = (name: string) => {
    const word = read(name)?.toLowerCase() ?? "false";
    if (word !== "true" && word !== "false") problems.push({ name, rule: "true or false", got: word });
    return word === "true";
  };
  const ignoresEndpoints = flag("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
  const endpoint = (service: string) => {
    if (ignoresEndpoints) return undefined;
    const name = [`AWS_ENDPOINT_URL_${service}`, "AWS_ENDPOINT_URL"].find(read);
    const url = name && read(name);
    if (name && url && !HTTP_URL.test(url)) problems.push({ name, rule: HTTP_URL_RULE, got: url });
    return url;
  };
  const [accessKeyId, secretAccessKey] = [read("AWS_ACCESS_KEY_ID"), read("AWS_SECRET_ACCESS_KEY")];
  const sessionToken = read("AWS_SESSION_TOKEN");
  const uri = read("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (uri !== undefined && !HTTP_URL.test(uri)) {
    problems.push({ name: "AWS_CONTAINER_CREDENTIALS_FULL_URI", rule: HTTP_URL_RULE, got: uri });
  }
  return {
    region: region ?? "",
    containerCredentials:
      uri === undefined
        ? undefined
        : {
            uri,
            token: read("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
            tokenFile: read("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
          },
    credentials:
      accessKeyId && secretAccessKey
        ? { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) }
        : undefined,
    endpoints: { sts: endpoint("STS"), secretsManager: endpoint("SECRETS_MANAGER"), ssm: endpoint("SSM") },
    clientOptions: {
      useFipsEndpoint: flag("AWS_USE_FIPS_ENDPOINT"),
      useDualstackEndpoint: flag("AWS_USE_DUALSTACK_ENDPOINT"),
      caBundle: readCaBundle(read("AWS_CA_BUNDLE"), read("NODE_EXTRA_CA_CERTS"), readFile, problems),
    },
  };
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * The certificates of AWS_CA_BUNDLE and, beside it, those of NODE_EXTRA_CA_CERTS, which Node omits for a connection that is
 * given certificates. Without AWS_CA_BUNDLE, Node reads NODE_EXTRA_CA_CERTS itself, and only warns if it cannot.
 */
function readCaBundle(
  path: string | undefined,
  extraPath: string | undefined,
  readFile: (path: string) => string,
  problems: Problem[],
): string | undefined {
  if (path === undefined) return undefined;
  const readCertificates = (file: string) => {
    try {
      const certificates = readFile(file).match(CERTIFICATE) ?? [];
      // OpenSSL stops without an error at the first certificate that it cannot read.
      return certificates.map((text) => new X509Certificate(text).toString());
    } catch {
      return [];
    }
  };
  const certificates = readCertificates(path);
  if (certificates.length === 0) {
    problems.push({ name: "AWS_CA_BUNDLE", rule: "the path of a readable file with certificates in PEM", got: path });
  }
  return [...certificates, ...(extraPath === undefined ? [] : readCertificates(extraPath))].join("\n");
}
