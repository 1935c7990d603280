/** Outcomes, for people and for programs. Pure. */
import type { Failure } from "../../../extension/failure/failure.ts";
import type { MissingStatement } from "../../../extension/failure/policy-remedies.ts";
import type { CommandWorld } from "../world.ts";
import { statementsOf } from "./caller.ts";
import { toContentsText } from "./contents.ts";
import { toExitCode } from "./exit-codes.ts";
import type { Outcome } from "./walk.ts";
import { wrap } from "./wrap.ts";

type Paint = CommandWorld["paint"];

const INDENT = "    ";
const inset = (text: string): string => wrap(text, { first: INDENT, indent: INDENT.length });

/** One line, and below it why it went wrong and what to do, or what else is to be known. */
export function toText(outcome: Outcome, paint: Paint): string {
  const { ok, ms, failure, notes, finding = {} } = outcome;
  const title = toTitle(outcome).padEnd(14);
  const subject = outcome.of ?? finding.arn ?? "";
  if (ok === undefined) return paint("dim", `–  ${title}  not tried  ${subject}`.trimEnd());
  const contents = toContentsText(finding);
  const mark = ok ? paint("green", "✓") : paint("red", "✗");
  const head = `${mark}  ${title} ${`${ms} ms`.padStart(10)}  ${subject}${contents && `: ${contents}`}`.trimEnd();
  const rest = [
    ...(failure === undefined ? [] : toAdvice(failure)),
    ...notes.map((note) => inset(`Note: ${note}.`)),
    ...(failure === undefined ? [] : [toCauseText(failure)]),
  ];
  return [head, ...rest].join(rest.length > 1 ? "\n\n" : "\n") + (rest.length > 0 ? "\n" : "");
}

function toTitle({ name, as }: Outcome): string {
  if (name !== "GetCallerIdentity") return name;
  return as === undefined ? "who am I" : "who am I now";
}

function toAdvice(failure: Failure): string[] {
  const { message, details } = failure;
  return [
    inset(`${message}.`),
    ...(details.remedy === undefined ? [] : [inset(`Remedy: ${details.remedy}.`)]),
    ...statementsOf(failure).map(toStatementText),
  ];
}

function toCauseText({ code, details }: Failure): string {
  const id = details.requestId === undefined ? "" : `, AWS's request id ${details.requestId}`;
  return inset(`Cause ${code}, exit code ${toExitCode(code)}${id}`);
}

/** To be pasted, so that it is not wrapped. */
function toStatementText({ policy, of, statement }: MissingStatement): string {
  const json = JSON.stringify(statement, undefined, 2).replace(/^/gm, `${INDENT}  `);
  return `${inset(`A statement for ${toPolicyText(policy, of)}:`)}\n${json}`;
}

function toPolicyText(policy: MissingStatement["policy"], of: string): string {
  switch (policy) {
    case "trust-policy":
      return `the trust policy of ${of}`;
    case "identity-policy":
      return `a policy of ${of}`;
    case "key-policy":
      return `the policy of ${of}`;
    default:
      // Of a limit, `of` says all there is to say.
      return of;
  }
}

const READS: readonly Outcome["name"][] = ["GetSecretValue", "GetParameter"];

/** The last words: of what doctor cannot see, since it is not the function. */
export function toSummary(outcomes: readonly Outcome[], isFunction: boolean): string {
  const arn = outcomes[0]?.finding?.arn;
  const failure = toFirstFailure(outcomes);
  const texts: string[] = [];
  if (failure === undefined) texts.push("All is well.");
  if (!outcomes.some(({ name }) => READS.includes(name))) {
    texts.push("No secret was asked for: --secret names one.");
  }
  if (!isFunction && arn !== undefined) {
    const own = `You asked as ${arn}. A function asks as its execution role: if that is another,`;
    if (failure === undefined) {
      texts.push(`${own} it, too, must be allowed sts:AssumeRole, by a policy of its own and by the trust policy.`);
    }
    if (statementsOf(failure).some(({ policy }) => policy === "trust-policy")) {
      texts.push(`${own} name it in your place in the statements above.`);
    }
  }
  if (!isFunction && (failure?.code === "unreachable" || failure?.code === "timeout")) {
    texts.push("This is the network of the machine that you are at: a function's may be another.");
  }
  return wrap(texts.join(" "), { first: "", indent: 0 });
}

const toFirstFailure = (outcomes: readonly Outcome[]): Failure | undefined =>
  outcomes.find(({ failure }) => failure !== undefined)?.failure;

/** The first failure's. */
export function toOverallExitCode(outcomes: readonly Outcome[]): number {
  const failure = toFirstFailure(outcomes);
  return failure === undefined ? 0 : toExitCode(failure.code);
}

export function toJson(
  outcomes: readonly Outcome[],
  { version, region }: { readonly version: string; readonly region: string },
): string {
  const exitCode = toOverallExitCode(outcomes);
  const steps = outcomes.map(({ name, as, of, ok = null, ms, finding, failure, notes }) => {
    const { remedy, requestId } = failure?.details ?? {};
    const statements = failure && statementsOf(failure);
    const why = failure && { cause: failure.code, message: failure.message, remedy, statements, requestId };
    return { name, as, of, ok, ms, ...finding, ...why, ...(notes.length > 0 ? { notes } : {}) };
  });
  return JSON.stringify({ ok: exitCode === 0, exitCode, version, region, steps }, undefined, 2);
}
