/** Where secrets and parameters come from, and the rules by which both are named, compared and measured. */

/** One target role, and what may be read through it. */
export interface Source {
  readonly roleArn: string;
  readonly externalId: string | undefined;
  /** The region that is set for this role. An ARN has its own. */
  readonly region: string | undefined;
  readonly home: Home;
  /** What a caller may ask for, if `allow` is `configured`. */
  readonly secretIds: readonly string[];
  readonly parameterNames: readonly string[];
  /** The secrets that are fetched during init. All of `parameterNames` are. */
  readonly prefetchIds: readonly string[];
}

/** Where a secret or parameter is that is asked for by a bare name: in the role's account. */
export interface Home {
  readonly region: string;
  readonly accountId: string;
}

/** What AWS calls a secret or parameter. */
export interface Named {
  readonly arn: string;
  readonly name: string;
}

export interface Versioned extends Named {
  readonly versionId: string;
}

/** What an id says about where its secret or parameter is. */
export interface Location {
  /** Region and account, in one text. */
  readonly place: string;
  /** What its name may be, the likeliest first. */
  readonly names: readonly [string, ...string[]];
}

/** The rules of secrets, or of parameters, which are asked for with a `Q` and answered with a `V`. */
export interface ValueRules<Q, V extends Versioned> {
  readonly word: "secret" | "parameter";
  /** The setting that lists what may be asked for. */
  readonly setting: "SECRET_IDS" | "PARAMETER_NAMES";
  readonly toConfiguredIds: (source: Source) => readonly string[];
  /** The name or ARN in the query. */
  readonly toId: (query: Q) => string;
  /** Which version is asked for, and in which form. Two queries that AWS may answer differently have different variants. */
  readonly toVariant: (query: Q) => string;
  readonly toLocation: (id: string, home: Home) => Location;
  /** The account in an ARN; undefined for a name. */
  readonly toAccountId: (id: string) => string | undefined;
  /** All ids of what AWS answered with. */
  readonly toIds: (value: Named) => readonly string[];
  readonly toBytes: (value: V) => number;
}

/** Returns whether AWS's answer is what `id` names. */
export const isCalled = ({ toIds }: Pick<ValueRules<never, Versioned>, "toIds">, value: Named, id: string): boolean =>
  id === value.name || id === value.arn || toIds(value).includes(id);

/**
 * Returns whether `asked` and `configured` may be two ids of one secret. Only AWS knows whether the last six characters
 * of an ARN are random or part of the name, so the caller must check AWS's answer with `isCalled`.
 */
export function mayBeSame(
  { toLocation }: Pick<ValueRules<never, Versioned>, "toLocation">,
  asked: string,
  configured: string,
  home: Home,
): boolean {
  const [a, b] = [toLocation(asked, home), toLocation(configured, home)];
  return a.place === b.place && (a.names.includes(b.names[0]) || b.names.includes(a.names[0]));
}
