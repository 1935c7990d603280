/** AWS's own variables in the function's environment, as far as they reach the SDK. Pure. */
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
  readonly clientOptions: { readonly useFipsEndpoint: boolean; readonly useDualstackEndpoint: boolean };
}

const HTTP_URL = /^https?:\/\//;
const HTTP_URL_RULE = "an http or https URL";

/** Adds every unusable value to `problems`. */
export function parseAwsEnvironment(environment: Environment, problems: Problem[]): AwsEnvironment {
  const read = (name: string) => environment[name]?.trim() || undefined;
  const region = read("AWS_REGION");
  if (region === undefined || !REGION_PATTERN.test(region)) {
    problems.push({ name: "AWS_REGION", rule: "a region, as Lambda sets it", got: region });
  }
  const endpoint = (service: string) => {
    const name = [`AWS_ENDPOINT_URL_${service}`, "AWS_ENDPOINT_URL"].find(read);
    const url = name && read(name);
    if (name && url && !HTTP_URL.test(url)) problems.push({ name, rule: HTTP_URL_RULE, got: url });
    return url;
  };
  const flag = (name: string) => {
    const word = read(name)?.toLowerCase() ?? "false";
    if (word !== "true" && word !== "false") problems.push({ name, rule: "true or false", got: word });
    return word === "true";
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
    },
  };
}
