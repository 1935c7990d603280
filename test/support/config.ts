import { type Config, parseConfig } from "../../extension/config/config.ts";
import type { Source } from "../../extension/config/sources.ts";

/** Whatever a test is about: of the config, and of its one source. */
export type ConfigOverrides = Partial<Config> & { readonly source?: Partial<Source> };

/** A function in Account B, as `parseConfig` sees it. */
export function createConfig({ source, ...overrides }: ConfigOverrides = {}): Config {
  const { config, problems } = parseConfig(
    {
      CROSS_ACCOUNT_SECRETS_ROLE_ARN: "arn:aws:iam::111111111111:role/SecretReader",
      CROSS_ACCOUNT_SECRETS_TOKEN: "the-token-of-the-function",
      AWS_LAMBDA_FUNCTION_NAME: "my-function",
      AWS_REGION: "eu-west-1",
      AWS_ACCESS_KEY_ID: "ASIAFUNCTION",
      AWS_SECRET_ACCESS_KEY: "secret-key-of-the-function",
      AWS_SESSION_TOKEN: "session-token-of-the-function",
    },
    (path) => {
      throw new Error(`nothing is to be read, but ${path} was`);
    },
  );
  if (config === undefined) throw new Error(problems.join("\n"));
  const [given] = config.sources;
  return { ...config, sources: [{ ...given, ...source }], ...overrides };
}
