/** Parses the variables of a function: for tests of the config. */
import { expect } from "vitest";
import { type Config, type ParsedConfig, parseConfig } from "../../extension/config/config.ts";
import { type Environment, PREFIX } from "../../extension/config/setting-rules.ts";
import type { Source } from "../../extension/values/source.ts";
import { TARGET_ROLE_WITH_PATH_ARN } from "./values.ts";

export const CANARY_TOKEN = "CANARY-token-8b1f";

/** The variables of Lambda that the config depends on. */
export const LAMBDA_VARIABLES: Environment = {
  AWS_REGION: "eu-west-1",
  AWS_LAMBDA_FUNCTION_NAME: "my-function",
  AWS_ACCESS_KEY_ID: "ASIAEXAMPLE",
  AWS_SECRET_ACCESS_KEY: "CANARY-key-5c2d",
  AWS_SESSION_TOKEN: CANARY_TOKEN,
};

/** Fails as a missing file does. Quotes the token, which no problem may repeat. */
export const noFile = (path: string): string => {
  throw new Error(`ENOENT: ${path}, ${CANARY_TOKEN}`);
};

/** Parses Lambda's variables and `own`, in which a leading underscore stands for the extension's prefix. */
export function parseVariables(own: Environment, readFile = noFile): ParsedConfig {
  const named = Object.entries(own).map(([name, text]) => [name.replace(/^_/, PREFIX), text]);
  return parseConfig(Object.fromEntries([...Object.entries(LAMBDA_VARIABLES), ...named]), readFile);
}

/** The config of `own` and a target role; fails the test if there is a problem. */
export function configOf(own: Environment = {}, readFile = noFile): Config {
  const { config, problems } = parseVariables({ _ROLE_ARN: TARGET_ROLE_WITH_PATH_ARN, ...own }, readFile);
  expect(problems).toEqual([]);
  if (config === undefined) throw new Error("there is no config, and no problem either");
  return config;
}

export const sourceOf = (own: Environment): Source => configOf(own).sources[0];

export const problemsOf = (own: Environment, readFile = noFile) =>
  parseVariables({ _ROLE_ARN: TARGET_ROLE_WITH_PATH_ARN, ...own }, readFile).problems;
