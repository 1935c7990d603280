/** Reads the statements of a policy. Pure. */
import { toSuggestion } from "../../options.ts";
import type { CheckFinding } from "./finding.ts";

export interface PolicyCondition {
  /** Without `ForAnyValue:` and `IfExists`. */
  readonly operator: string;
  /** Whether a request without the key meets the condition. */
  readonly isIfExists: boolean;
  readonly key: string;
  readonly values: readonly string[];
}

/** An element such as `Action`, or `NotAction`. */
export interface Element {
  readonly isNot: boolean;
  readonly values: readonly string[];
}

export interface ReadStatement {
  /** From 1. */
  readonly number: number;
  readonly isAllow: boolean;
  /** Only the principals under `AWS`: services and identity providers are in `others`. */
  readonly principal: Element | undefined;
  readonly others: readonly string[];
  readonly action: Element;
  readonly resource: Element | undefined;
  readonly conditions: readonly PolicyCondition[];
}

export interface ReadDocument {
  readonly statements: readonly ReadStatement[];
  /** What AWS would reject or interpret in another way. */
  readonly findings: readonly CheckFinding[];
}

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Finds the documents in what the AWS CLI or `policies` prints. Returns undefined if the text is not JSON. */
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
  return collectDocuments(value);
}

const CURRENT = "2012-10-17";
const DEFAULT = "2008-10-17";

function collectDocuments(value: unknown): readonly Fields[] {
  // get-key-policy prints the policy as a text.
  if (typeof value === "string" && value.trimStart().startsWith("{")) return findDocuments(value) ?? [];
  if (typeof value !== "object" || value === null) return [];
  return isFields(value) && "Statement" in value ? [value] : Object.values(value).flatMap(collectDocuments);
}

export function readDocument({ Version, Statement }: Fields): ReadDocument {
  const findings: CheckFinding[] = [];
  if (Version === undefined) {
    findings.push({
      severity: "note",
      message: `"Version" is missing, so AWS assumes ${DEFAULT}; write "Version": "${CURRENT}"`,
    });
  } else if (Version !== CURRENT && Version !== DEFAULT) {
    findings.push({ severity: "missing", message: `"Version" must be "${CURRENT}": AWS rejects the document` });
  }
  const statements = [Statement].flat().flatMap((statement: unknown, index) => {
    const read = isFields(statement) ? readStatement(statement, index + 1) : "is not an object";
    if (typeof read !== "string") return [read];
    findings.push({
      severity: "missing",
      statement: index + 1,
      message: `statement ${index + 1} ${read}: AWS rejects the document`,
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

/** Returns the statement, or what is wrong with it. */
function readStatement(fields: Fields, number: number): ReadStatement | string {
  const unknown = Object.keys(fields).find((name) => !ELEMENTS.includes(name));
  if (unknown !== undefined)
    return `has ${JSON.stringify(unknown)}, which is not an element of a statement${toSuggestion(unknown, ELEMENTS)}`;
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
  // String() would call members of the JSON that have the names of methods, such as toString.
  [value]
    .flat()
    .flatMap((one) => (one === undefined ? [] : typeof one === "object" ? JSON.stringify(one) : String(one)));

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html */
const OPERATOR =
  /^(?:(ForAllValues|ForAnyValue):)?((?:String(?:Not)?(?:Equals(?:IgnoreCase)?|Like)|Arn(?:Not)?(?:Equals|Like)|Bool|(?:Numeric|Date)(?:(?:Not)?Equals|(?:Less|Greater)Than(?:Equals)?)|BinaryEquals|(?:Not)?IpAddress)(IfExists)?|Null)$/;

function readConditions(condition: unknown): readonly PolicyCondition[] | string {
  if (!isFields(condition)) return 'has a "Condition" that is not an object';
  const conditions: PolicyCondition[] = [];
  for (const [name, keys] of Object.entries(condition)) {
    const [, quantifier, operator = "", ifExists] = OPERATOR.exec(name) ?? [];
    if (operator === "") return `has the condition operator ${JSON.stringify(name)}, which does not exist`;
    if (!isFields(keys)) return `has no keys under ${name}`;
    // ForAllValues is also true if the key is missing.
    const isIfExists = ifExists !== undefined || quantifier === "ForAllValues";
    for (const [key, values] of Object.entries(keys)) {
      conditions.push({ operator: operator.replace(/IfExists$/, ""), isIfExists, key, values: toTexts(values) });
    }
  }
  return conditions;
}
