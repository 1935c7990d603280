/** From the target of a local HTTP request for a parameter to what it asks for. Pure. */
import { isParameterId, parameterIdRule } from "./parameter-id.ts";
import type { ParameterQuery } from "./parameter-store.ts";
import { invalid, parseBoolean, parseWishes, type Target, type Wishes } from "./request-target.ts";

export interface ParameterRequest extends Wishes {
  readonly query: ParameterQuery;
}

/** Letters, digits and `._-`, a version's number among them: AWS's rule for labels. */
const SELECTOR = /^[A-Za-z0-9._-]{1,100}$/;

/**
 * `/systemsmanager/parameters/get?name=…`. Of a version and a label AWS's extension heeds the one that comes first; AWS itself
 * also takes either at the end of the name, after a colon.
 */
export function parseParameterRequest({ parameters }: Target): ParameterRequest {
  const wishes = parseWishes(parameters, ["name", "version", "label", "withDecryption"]);
  const given = parameters.get("name") ?? "";
  if (given === "") throw invalid("the parameter's name is missing");
  const [, name = given, suffix] = isParameterId(given) ? [] : (/^(.+):([^:]*)$/.exec(given) ?? []);
  if (!isParameterId(name)) throw invalid(`a parameter's id must be ${parameterIdRule}`);
  const [, selector = suffix] = [...parameters].find(([key]) => key === "version" || key === "label") ?? [];
  if ([suffix, selector].some((text) => text !== undefined && !SELECTOR.test(text))) {
    throw invalid("a version or label must be 1 to 100 letters, digits and ._-");
  }
  return {
    ...wishes,
    query: {
      parameterId: name,
      ...(selector === undefined ? {} : { selector }),
      withDecryption: parseBoolean("withDecryption", parameters.get("withDecryption")),
    },
  };
}
