/** AWS's own variables: what of the function's environment reaches the SDK. Pure. */
import { type Environment, type Problem, REGION } from "./settings.ts";

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** What of the function's own AWS variables reaches the SDK; nothing else does. */
export interface AwsEnvironment {
  readonly region: string;
  readonly credentials: AwsCredentials | undefined;
  readonly endpoints: { readonly sts: string | undefined; readonly secretsManager: string | undefined };
  readonly clientOptions: { readonly useFipsEndpoint: boolean; readonly useDualstackEndpoint: boolean };
}

/** Adds to `problems` what is unusable. */
export function parseAwsEnvironment(environment: Environment, problems: Problem[]): AwsEnvironment {
  const read = (name: string) => environment[name]?.trim() || undefined;
  const region = read("AWS_REGION");
  if (region === undefined || !REGION.test(region)) {
    problems.push({ name: "AWS_REGION", rule: "a region, as Lambda sets it", got: region });
  }
  const endpoint = (service: string) => {
    const name = [`AWS_ENDPOINT_URL_${service}`, "AWS_ENDPOINT_URL"].find(read);
    const url = name && read(name);
    if (name && url && !/^https?:\/\//.test(url)) problems.push({ name, rule: "an http or https URL", got: url });
    return url;
  };
  const flag = (name: string) => {
    const word = read(name)?.toLowerCase() ?? "false";
    if (word !== "true" && word !== "false") problems.push({ name, rule: "true or false", got: word });
    return word === "true";
  };
  const [accessKeyId, secretAccessKey] = [read("AWS_ACCESS_KEY_ID"), read("AWS_SECRET_ACCESS_KEY")];
  const sessionToken = read("AWS_SESSION_TOKEN");
  return {
    region: region ?? "",
    credentials:
      accessKeyId && secretAccessKey
        ? { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) }
        : undefined,
    endpoints: { sts: endpoint("STS"), secretsManager: endpoint("SECRETS_MANAGER") },
    clientOptions: {
      useFipsEndpoint: flag("AWS_USE_FIPS_ENDPOINT"),
      useDualstackEndpoint: flag("AWS_USE_DUALSTACK_ENDPOINT"),
    },
  };
}
