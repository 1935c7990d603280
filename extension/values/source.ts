/** The two kinds of things that are fetched, kept and served: what the cache and the allow-list have to know of each. */

import type { Source } from "../config/sources.ts";
import type { Home, Place } from "./secret.ts";

/** What AWS calls it. */
export interface Identity {
  readonly arn: string;
  readonly name: string;
}

/** What every value tells about itself. */
export interface Named extends Identity {
  readonly versionId: string;
}

/** A kind that is asked for with a `Q`, and of which AWS answers with a `V`. */
export interface Kind<Q, V extends Named> {
  readonly word: "secret" | "parameter";
  /** The setting that lists what may be asked for, and what it lists for a source. */
  readonly setting: "SECRET_IDS" | "PARAMETER_NAMES";
  readonly toConfigured: (source: Source) => readonly string[];
  /** How it is called in the query: by a name or an ARN. */
  readonly toId: (query: Q) => string;
  /** Which of its versions, and in what form, is asked for. No two that differ give the same. */
  readonly toVariant: (query: Q) => string;
  /** Where it is, and what its name may be. A bare name is in `home`. */
  readonly toPlace: (id: string, home: Home) => Place;
  /** The account in an ARN; undefined for a name. */
  readonly toAccountId: (id: string) => string | undefined;
  /** Does `id` call the value that AWS answered with? */
  readonly isCalled: (value: Identity, id: string) => boolean;
  /** What it takes to keep it, in bytes. */
  readonly toBytes: (value: V) => number;
}

/**
 * May `asked` and `configured` be two spellings of one and the same? "May", because only AWS knows whether the last six
 * characters of a secret's ARN are random ones or part of the name: whoever relies on it checks the answer with `isCalled`.
 */
export function mayBeSame(
  { toPlace }: Pick<Kind<never, Named>, "toPlace">,
  asked: string,
  configured: string,
  home: Home,
): boolean {
  const [a, b] = [toPlace(asked, home), toPlace(configured, home)];
  return a.place === b.place && (a.names.includes(b.names[0]) || b.names.includes(a.names[0]));
}
