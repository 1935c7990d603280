/** The secrets that the conformance suite asks for. In requests, rows and answers they are called by the names in braces. */

import type { Bench } from "./bench.ts";
import {
  type Answer,
  type Asked,
  ask,
  conform,
  type Expected,
  judge,
  judgeLeaks,
  toExpectedText,
  toSeenText,
} from "./conformance.ts";
import { FUNCTION_ROLE_ARN, REGION, TARGET_ROLE_ARN, type TwoAccounts } from "./two-accounts.ts";

const place = { account: "111111111111", region: REGION };

/** What chance has named, by the names in braces. */
export type Names = ReadonlyMap<string, string>;

/** `app/db` in three versions, a binary `app/key`, and names with every character that AWS allows in one. */
export function addSecrets({ aws, canaries }: TwoAccounts): Names {
  const [first = "", second = ""] = canaries;
  aws.changeRole(TARGET_ROLE_ARN, { trusts: [FUNCTION_ROLE_ARN], readableSecrets: "any", readableParameters: "any" });
  const { arn, versionId } = aws.createSecret({ ...place, name: "app/db", secretString: first });
  const current = aws.putSecretValue(arn, { secretString: second });
  const pending = aws.putSecretValue(arn, { secretString: `${first}-next` }, ["AWSPENDING"]);
  const key = aws.createSecret({ ...place, name: "app/key", secretBinary: Buffer.from(second) });
  for (const name of ["a+b", "x/_+=.@!-y"]) aws.createSecret({ ...place, name, secretString: first });
  // The longer before what is a piece of it.
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

const fill = (text: string, names: Names): string =>
  [...names].reduce((filled, [name, value]) => filled.replaceAll(name, value), text);
const call = (text: string, names: Names): string =>
  [...names].reduce((called, [name, value]) => called.replaceAll(value, name), text);

/** `{token}` is the function's. */
function fillRequest({ headers = {}, ...asked }: Asked, names: Names, { environment }: Bench): Asked {
  const all = new Map([...names, ["{token}", environment.AWS_SESSION_TOKEN ?? ""]]);
  const filled = Object.entries(headers).map(([name, value]) => [name, value && fill(value, all)]);
  return { ...asked, target: fill(asked.target, names), headers: Object.fromEntries(filled) };
}

export interface Request {
  readonly group: string;
  readonly name: string;
  /** One, or the same of several routes. */
  readonly asked: readonly Asked[];
  readonly expected: Expected;
}

/** A row about what a request, or each of some, is answered with. */
export function answers(bench: () => Bench, names: () => Names, { group, name, asked, expected }: Request): void {
  conform({ group, name, expected: toExpectedText(expected) }, async (see) => {
    const answered: Answer[] = [];
    for (const request of asked) {
      answered.push(await ask(bench(), fillRequest(request, names(), bench())));
    }
    const seen = answered.map((answer) => ({ ...answer, body: call(answer.body, names()) }));
    see([...new Set(seen.map((answer) => toSeenText(answer, expected)))].join(" | "));
    for (const answer of seen) judge(answer, expected);
    for (const answer of answered) judgeLeaks(answer, bench());
  });
}
