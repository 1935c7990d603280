/**
 * From the target of a local HTTP request to its path and parameters, or to a Failure that says what is wrong with it. Pure.
 *
 * The target is split by hand: `URL` would resolve `..` away, and an id is what stands there, percent-decoded once.
 */
import { Failure } from "./errors.ts";
import { ROLE_ARN } from "./settings.ts";

export interface Target {
  readonly path: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** What may be asked along with a secret or a parameter. */
export interface Wishes {
  readonly refreshNow: boolean;
  /** The role that the caller wants to be used, if it named one. */
  readonly roleArn: string | undefined;
}

const WISHES = ["refreshNow", "roleArn"];

export function parseTarget(target: string): Target {
  if (!target.startsWith("/")) throw invalid("the request target must be a path, such as /secretsmanager/get");
  const [path = "", ...queries] = target.split("?");
  const parameters = new Map<string, string>();
  for (const pair of queries.join("?").split("&")) {
    if (pair === "") continue;
    const [name = "", ...values] = pair.split("=").map((part) => decode(part.replaceAll("+", " ")));
    const value = values.join("=");
    if (parameters.has(name)) throw invalid(`parameter ${quote(name)} is given more than once`);
    parameters.set(name, value);
  }
  return { path, parameters };
}

/** Fails at a parameter that is neither one of `names` nor a wish. */
export function parseWishes(parameters: ReadonlyMap<string, string>, names: readonly string[]): Wishes {
  expectOnly(parameters, [...names, ...WISHES]);
  const roleArn = parameters.get("roleArn");
  if (roleArn !== undefined && !ROLE_ARN.test(roleArn)) {
    throw invalid("roleArn must be arn:<partition>:iam::<12 digits>:role/<path/name>");
  }
  return { refreshNow: parseBoolean("refreshNow", parameters.get("refreshNow")), roleArn };
}

export function expectOnly(parameters: ReadonlyMap<string, string>, names: readonly string[]): void {
  for (const name of parameters.keys()) {
    if (names.includes(name)) continue;
    throw invalid(
      `unknown parameter ${quote(name)}; ${names.length ? `known are ${names.join(", ")}` : "none is known here"}`,
    );
  }
}

export function parseBoolean(name: string, text = "false"): boolean {
  if (/^(true|1)$/i.test(text)) return true;
  if (/^(false|0)$/i.test(text)) return false;
  throw invalid(`${name} must be true, false, 1 or 0`);
}

export function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid("the request target is not percent-encoded UTF-8");
  }
}

const quote = (text: string): string => JSON.stringify(text.slice(0, 64));

export const invalid = (message: string): Failure => new Failure("invalid-request", message);
