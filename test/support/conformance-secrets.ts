/** The secrets that the conformance suite requests. Rows show their random values as placeholders in braces. */

import type { Bench } from "./bench.ts";
import {
  ask,
  conform,
  type ExpectedAnswer,
  expectAnswer,
  expectNoLeak,
  type RawAnswer,
  type RawRequest,
  toExpectedText,
  toSeenText,
} from "./conformance.ts";
import { FUNCTION_ROLE_ARN, REGION, TARGET_ROLE_ARN, type TwoAccounts } from "./two-accounts.ts";

const place = { account: "111111111111", region: REGION };

/** Random values by their placeholders. */
export type Placeholders = ReadonlyMap<string, string>;

/** Adds `app/db` in three versions, a binary `app/key`, and names with every character that AWS allows. */
export function addSecrets({ aws, canaries }: TwoAccounts): Placeholders {
  const [first = "", second = ""] = canaries;
  aws.changeRole(TARGET_ROLE_ARN, { trusts: [FUNCTION_ROLE_ARN], readableSecrets: "any", readableParameters: "any" });
  const { arn, versionId } = aws.createSecret({ ...place, name: "app/db", secretString: first });
  const current = aws.putSecretValue(arn, { secretString: second });
  const pending = aws.putSecretValue(arn, { secretString: `${first}-next` }, ["AWSPENDING"]);
  const key = aws.createSecret({ ...place, name: "app/key", secretBinary: Buffer.from(second) });
  for (const name of ["a+b", "x/_+=.@!-y"]) aws.createSecret({ ...place, name, secretString: first });
  // A longer value stands before a value that is a part of it.
  return new Map([
    ["{arn}", arn],
    ["{partial ARN}", arn.slice(0, -7)],
    ["{key's arn}", key.arn],
    ["{previous}", versionId],
    ["{current}", current.versionId],
    ["{pending}", pending.versionId],
    ["{value 3}", `${first}-next`],
    ["{value 1}", first],
    ["{value 2}", second],
    ["{value 2 in Base64}", Buffer.from(second).toString("base64")],
  ]);
}

const fill = (text: string, names: Placeholders): string =>
  [...names].reduce((filled, [name, value]) => filled.replaceAll(name, value), text);
const mask = (text: string, names: Placeholders): string =>
  [...names].reduce((masked, [name, value]) => masked.replaceAll(value, name), text);

/** Replaces the placeholders in a request; `{token}` is the token of the function. */
function fillRequest({ headers = {}, ...asked }: RawRequest, names: Placeholders, { environment }: Bench): RawRequest {
  const all = new Map([...names, ["{token}", environment.AWS_SESSION_TOKEN ?? ""]]);
  const filled = Object.entries(headers).map(([name, value]) => [name, value && fill(value, all)]);
  return { ...asked, target: fill(asked.target, names), headers: Object.fromEntries(filled) };
}

interface RequestRow {
  readonly group: string;
  readonly name: string;
  /** One request, or the same request to several routes. */
  readonly asked: readonly RawRequest[];
  readonly expected: ExpectedAnswer;
}

/** Defines a row: each of these requests gets the expected answer. */
export function answers(
  bench: () => Bench,
  names: () => Placeholders,
  { group, name, asked, expected }: RequestRow,
): void {
  conform({ group, name, expected: toExpectedText(expected) }, async (see) => {
    const answered: RawAnswer[] = [];
    for (const request of asked) {
      answered.push(await ask(bench(), fillRequest(request, names(), bench())));
    }
    const seen = answered.map((answer) => ({ ...answer, body: mask(answer.body, names()) }));
    see([...new Set(seen.map((answer) => toSeenText(answer, expected)))].join(" | "));
    for (const answer of seen) expectAnswer(answer, expected);
    for (const answer of answered) expectNoLeak(answer, bench());
  });
}
