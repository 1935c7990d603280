/** What doctor shows of a secret, of each step, and at the end. Pure. */
import type { Failure } from "../../../extension/failure/failure.ts";
import type { MissingStatement } from "../../../extension/failure/policy-remedies.ts";
import type { CommandWorld } from "../world.ts";
import { statementsOf } from "./caller.ts";
import { toExitCode } from "./exit-codes.ts";
import type { SecretContents, StepResult } from "./take-steps.ts";

/** A width that is easy to read. */
const WIDTH_CHARACTERS = 100;
const INDENT = "    ";

/**
 * Breaks a text, or a list of phrases that stay whole, into lines: the first begins with `first`, the others are indented. A
 * word that is longer than a line stays whole, so that it can be copied.
 */
export function wrap(
  text: string | readonly string[],
  { first, indent }: { readonly first: string; readonly indent: number },
): string {
  const lines: string[] = [];
  let line = first;
  let isBare = true;
  for (const word of typeof text === "string" ? text.split(" ") : text) {
    if (!isBare && line.length + 1 + word.length > WIDTH_CHARACTERS) {
      lines.push(line);
      line = " ".repeat(indent);
      isBare = true;
    }
    line += isBare ? word : ` ${word}`;
    isBare = false;
  }
  return [...lines, line].join("\n");
}

const wrapIndented = (text: string): string => wrap(text, { first: INDENT, indent: INDENT.length });

export function toSecretContents(value: string | Uint8Array): SecretContents {
  if (typeof value !== "string") return { form: `binary, ${toCount(value.length, "byte")}` };
  const keys = toKeys(value);
  return keys === undefined ? { form: `a text of ${toCount([...value].length, "character")}` } : { keys };
}

function toKeys(text: string): readonly string[] | undefined {
  try {
    const parsed: unknown = JSON.parse(text.trim());
    const isObject = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed);
    return isObject ? Object.keys(parsed).sort() : undefined;
  } catch {
    // The parser's message would quote the text.
    return undefined;
  }
}

const toCount = (count: number, unit: string): string => `${count} ${unit}${count === 1 ? "" : "s"}`;

/** One line. The name of a field may contain characters that control a terminal. */
export function toContentsText({ keys, form }: SecretContents): string {
  if (keys === undefined) return form ?? "";
  return keys.map(toKeyText).join(", ") || "a JSON object without fields";
}

const toKeyText = (key: string): string =>
  /^[\w./@-]+$/.test(key)
    ? key
    : JSON.stringify(key).replace(/\p{C}/gu, (sign) => `\\u{${sign.codePointAt(0)?.toString(16)}}`);

/** One line for the step. Below it are the reason of a failure, what to do, and the notes. */
export function toStepText(result: StepResult, paint: CommandWorld["paint"]): string {
  const { ok, ms, failure, notes, facts = {} } = result;
  const title = toStepTitle(result).padEnd(14);
  const subject = result.of ?? facts.arn ?? "";
  if (ok === undefined) return paint("dim", `–  ${title}  not tried  ${subject}`.trimEnd());
  const contents = toContentsText(facts);
  const mark = ok ? paint("green", "✓") : paint("red", "✗");
  const head = `${mark}  ${title} ${`${ms} ms`.padStart(10)}  ${subject}${contents && `: ${contents}`}`.trimEnd();
  const rest = [
    ...(failure === undefined ? [] : toAdvice(failure)),
    ...notes.map((note) => wrapIndented(`Note: ${note}.`)),
    ...(failure === undefined ? [] : [toCauseText(failure)]),
  ];
  return [head, ...rest].join(rest.length > 1 ? "\n\n" : "\n") + (rest.length > 0 ? "\n" : "");
}

function toStepTitle({ name, as }: StepResult): string {
  if (name !== "GetCallerIdentity") return name;
  return as === undefined ? "who am I" : "who am I now";
}

function toAdvice(failure: Failure): string[] {
  const { message, details } = failure;
  return [
    wrapIndented(`${message}.`),
    ...(details.remedy === undefined ? [] : [wrapIndented(`Remedy: ${details.remedy}.`)]),
    ...statementsOf(failure).map(toStatementText),
  ];
}

function toCauseText({ code, details }: Failure): string {
  const id = details.requestId === undefined ? "" : `, AWS's request id ${details.requestId}`;
  return wrapIndented(`Cause ${code}, exit code ${toExitCode(code)}${id}`);
}

/** The statement is not wrapped, so that it can be pasted. */
function toStatementText({ policy, of, statement }: MissingStatement): string {
  const json = JSON.stringify(statement, undefined, 2).replace(/^/gm, `${INDENT}  `);
  return `${wrapIndented(`A statement for ${toPolicyText(policy, of)}:`)}\n${json}`;
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
      // For the other policies, such as a permissions boundary, `of` names the policy itself.
      return of;
  }
}

const READS: readonly StepResult["name"][] = ["GetSecretValue", "GetParameter"];

/** The last lines: what doctor cannot see, because it is not the function. */
export function toSummary(results: readonly StepResult[], isFunction: boolean): string {
  const arn = results[0]?.facts?.arn;
  const failure = toFirstFailure(results);
  const texts: string[] = [];
  if (failure === undefined) texts.push("Every step succeeded.");
  if (!results.some(({ name }) => READS.includes(name))) {
    texts.push("No secret was requested: name one with --secret.");
  }
  if (!isFunction && arn !== undefined) {
    const callers = `You called AWS as ${arn}. A function calls AWS as its execution role. If that is another role,`;
    if (failure === undefined) {
      texts.push(`${callers} it must also be allowed sts:AssumeRole, by its own policy and by the trust policy.`);
    }
    if (statementsOf(failure).some(({ policy }) => policy === "trust-policy")) {
      texts.push(`${callers} name it instead of yours in the statements above.`);
    }
  }
  if (!isFunction && (failure?.code === "unreachable" || failure?.code === "timeout")) {
    texts.push("doctor used the network of this machine. The network of a function may be another.");
  }
  return wrap(texts.join(" "), { first: "", indent: 0 });
}

const toFirstFailure = (results: readonly StepResult[]): Failure | undefined =>
  results.find(({ failure }) => failure !== undefined)?.failure;

/** The exit code of the first failure, or 0. */
export function toOverallExitCode(results: readonly StepResult[]): number {
  const failure = toFirstFailure(results);
  return failure === undefined ? 0 : toExitCode(failure.code);
}

export function toJsonReport(
  results: readonly StepResult[],
  { version, region }: { readonly version: string; readonly region: string },
): string {
  const exitCode = toOverallExitCode(results);
  const steps = results.map(({ name, as, of, ok = null, ms, facts, failure, notes }) => {
    const { remedy, requestId } = failure?.details ?? {};
    const statements = failure && statementsOf(failure);
    const why = failure && { cause: failure.code, message: failure.message, remedy, statements, requestId };
    return { name, as, of, ok, ms, ...facts, ...why, ...(notes.length > 0 ? { notes } : {}) };
  });
  return JSON.stringify({ ok: exitCode === 0, exitCode, version, region, steps }, undefined, 2);
}
