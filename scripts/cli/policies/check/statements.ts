/** The text of a policy, as the statements in it. Pure. */
import { toSuggestion } from "../../options.ts";
import type { Finding } from "./finding.ts";

export interface Condition {
  /** Without `ForAnyValue:` and `IfExists`. */
  readonly operator: string;
  /** True of a request that has no such key at all. */
  readonly isIfExists: boolean;
  readonly key: string;
  readonly values: readonly string[];
}

/** What an element has, or with `Not…`, what it leaves out. Undefined where there is no such element. */
export interface Element {
  readonly isNot: boolean;
  readonly values: readonly string[];
}

export interface ReadStatement {
  /** From 1. */
  readonly number: number;
  readonly isAllow: boolean;
  /** AWS's alone: services and identity providers are in `others`. */
  readonly principal: Element | undefined;
  readonly others: readonly string[];
  readonly action: Element;
  readonly resource: Element | undefined;
  readonly conditions: readonly Condition[];
}

export interface ReadDocument {
  readonly statements: readonly ReadStatement[];
  /** What AWS would not take, or takes otherwise than is meant. */
  readonly findings: readonly Finding[];
}

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Documents, wherever they are in what the AWS CLI prints, and in what `policies` does; undefined where the text is no JSON. */
export function findDocuments(text: string): readonly Fields[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch {
    return undefined;
  }
  const statements = [value].flat();
  const areStatements = statements.length > 0 && statements.every((one) => isFields(one) && "Effect" in one);
  if (areStatements) return [{ Version: CURRENT, Statement: statements }];
  return toDocuments(value);
}

const CURRENT = "2012-10-17";
const DEFAULT = "2008-10-17";

function toDocuments(value: unknown): readonly Fields[] {
  // get-key-policy gives the policy as a text.
  if (typeof value === "string" && value.trimStart().startsWith("{")) return findDocuments(value) ?? [];
  if (typeof value !== "object" || value === null) return [];
  return isFields(value) && "Statement" in value ? [value] : Object.values(value).flatMap(toDocuments);
}

export function readDocument({ Version, Statement }: Fields): ReadDocument {
  const findings: Finding[] = [];
  if (Version === undefined) {
    findings.push({
      severity: "note",
      message: `"Version" is missing, and AWS takes ${DEFAULT} for it; write "Version": "${CURRENT}"`,
    });
  } else if (Version !== CURRENT && Version !== DEFAULT) {
    findings.push({ severity: "missing", message: `"Version" must be "${CURRENT}": AWS refuses the document` });
  }
  const statements = [Statement].flat().flatMap((statement: unknown, index) => {
    const read = isFields(statement) ? readStatement(statement, index + 1) : "is not an object";
    if (typeof read !== "string") return [read];
    findings.push({
      severity: "missing",
      statement: index + 1,
      message: `statement ${index + 1} ${read}: AWS refuses the document`,
    });
    return [];
  });
  return { statements, findings };
}

const ELEMENTS = [
  "Sid",
  "Effect",
  "Principal",
  "NotPrincipal",
  "Action",
  "NotAction",
  "Resource",
  "NotResource",
  "Condition",
];

/** The statement, or what is wrong with it. */
function readStatement(fields: Fields, number: number): ReadStatement | string {
  const unknown = Object.keys(fields).find((name) => !ELEMENTS.includes(name));
  if (unknown !== undefined)
    return `has ${JSON.stringify(unknown)}, which is no element${toSuggestion(unknown, ELEMENTS)}`;
  const { Effect, Principal, NotPrincipal, Condition = {} } = fields;
  if (Effect !== "Allow" && Effect !== "Deny") return 'must have an "Effect" of Allow or Deny';
  const action = toElement(fields.Action, fields.NotAction);
  if (action === undefined) return 'must have an "Action"';
  const conditions = readConditions(Condition);
  if (typeof conditions === "string") return conditions;
  const parties = Principal ?? NotPrincipal;
  const { AWS, ...others } = isFields(parties) ? parties : { AWS: parties };
  return {
    number,
    isAllow: Effect === "Allow",
    principal: parties === undefined ? undefined : { isNot: Principal === undefined, values: toTexts(AWS) },
    others: Object.values(others).flatMap(toTexts),
    action,
    resource: toElement(fields.Resource, fields.NotResource),
    conditions,
  };
}

function toElement(is: unknown, isNot: unknown): Element | undefined {
  if (is === undefined && isNot === undefined) return undefined;
  return { isNot: is === undefined, values: toTexts(is ?? isNot) };
}

const toTexts = (value: unknown): readonly string[] =>
  // JSON may have members that are called like the methods by which objects become texts.
  [value]
    .flat()
    .flatMap((one) => (one === undefined ? [] : typeof one === "object" ? JSON.stringify(one) : String(one)));

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html */
const OPERATOR =
  /^(?:(ForAllValues|ForAnyValue):)?((?:String(?:Not)?(?:Equals(?:IgnoreCase)?|Like)|Arn(?:Not)?(?:Equals|Like)|Bool|(?:Numeric|Date)(?:(?:Not)?Equals|(?:Less|Greater)Than(?:Equals)?)|BinaryEquals|(?:Not)?IpAddress)(IfExists)?|Null)$/;

function readConditions(condition: unknown): readonly Condition[] | string {
  if (!isFields(condition)) return 'has a "Condition" that is not an object';
  const conditions: Condition[] = [];
  for (const [name, keys] of Object.entries(condition)) {
    const [, quantifier, operator = "", ifExists] = OPERATOR.exec(name) ?? [];
    if (operator === "") return `has the condition operator ${JSON.stringify(name)}, which there is not`;
    if (!isFields(keys)) return `has no keys behind ${name}`;
    // ForAllValues is true, too, of what is not there.
    const isIfExists = ifExists !== undefined || quantifier === "ForAllValues";
    for (const [key, values] of Object.entries(keys)) {
      conditions.push({ operator: operator.replace(/IfExists$/, ""), isIfExists, key, values: toTexts(values) });
    }
  }
  return conditions;
}
