import type { ClientOptions } from "../../extension/aws/client.ts";
import { type Config, parseConfig } from "../../extension/config/config.ts";
import type { Source } from "../../extension/values/source.ts";
import { REGION, TARGET_ROLE_ARN } from "./values.ts";

/** Fields of the config, and of its one source. */
export type ConfigOverrides = Partial<Config> & { readonly source?: Partial<Source> };

/** Makes the config of a function in Account B. */
export function createConfig({ source, ...overrides }: ConfigOverrides = {}): Config {
  const { config, problems } = parseConfig(
    {
      CROSS_ACCOUNT_SECRETS_ROLE_ARN: TARGET_ROLE_ARN,
      CROSS_ACCOUNT_SECRETS_TOKEN: "the-token-of-the-function",
      AWS_LAMBDA_FUNCTION_NAME: "my-function",
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: "ASIAFUNCTION",
      AWS_SECRET_ACCESS_KEY: "secret-key-of-the-function",
      AWS_SESSION_TOKEN: "session-token-of-the-function",
    },
    (path) => {
      throw new Error(`no file may be read, but ${path} was`);
    },
  );
  if (config === undefined) throw new Error(problems.join("\n"));
  const [given] = config.sources;
  return { ...config, sources: [{ ...given, ...source }], ...overrides };
}

/** Makes the options of an SDK client, for the tests of the SDK and of its bundle. */
export const toClientOptions = (overrides: Partial<ClientOptions> = {}): ClientOptions => ({
  region: REGION,
  credentials: { accessKeyId: "ASIAOURS", secretAccessKey: "our-key", sessionToken: "our-token" },
  endpoint: undefined,
  useFipsEndpoint: false,
  useDualstackEndpoint: false,
  version: "1.2.3",
  ...overrides,
});
