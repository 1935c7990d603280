import { type Config, parseConfig } from "../../extension/config.ts";

/** A function in Account B, as `parseConfig` sees it; whatever a test is about is overridden. */
export function createConfig(overrides: Partial<Config> = {}): Config {
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
  return { ...config, ...overrides };
}
