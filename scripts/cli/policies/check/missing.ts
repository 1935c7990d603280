/** Finds what a document does not allow, and why. Pure. */
import type { Statement } from "../../../../extension/failure/statements.ts";
import type { DocumentName } from "../documents.ts";
import type { CheckFinding } from "./finding.ts";
import type { Need } from "./needs.ts";
import { match, type Obstacle } from "./obstacles.ts";
import type { ReadStatement } from "./statements.ts";

export interface MissingContext {
  readonly documentName: DocumentName;
  /** Whether the role's own permissions allow kms:Decrypt, so that a key policy may delegate to them. */
  readonly isDecryptOwn: boolean;
}

export function findMissing(
  statements: readonly ReadStatement[],
  needs: readonly Need[],
  around: MissingContext,
): readonly CheckFinding[] {
  const denied = needs.flatMap((need) => statements.flatMap((statement) => findDeny(statement, need)));
  const tried = needs.map((need) => tryAll(statements, need, around));
  const unmet = mergeByRemedy(tried).map((trial) => toFinding(trial, needs));
  const findings = [...denied, ...unmet, ...tried.flatMap(toNotes)];
  return [...new Map(findings.map((finding) => [JSON.stringify(finding), finding])).values()];
}

function findDeny(statement: ReadStatement, need: Need): readonly CheckFinding[] {
  if (statement.isAllow) return [];
  const { obstacles, unknown } = match(statement, need);
  if (obstacles.length > 0) return [];
  const message = `statement ${statement.number} denies ${need.action}`;
  if (unknown.length > 0) {
    return [{ ...toNote(statement), message: `${message}, if its condition on ${unknown.join(" and ")} is met` }];
  }
  return [
    {
      severity: "missing",
      statement: statement.number,
      message: `${message}, which overrides every Allow`,
      remove: true,
    },
  ];
}

/** The Allow that is nearest to the need. */
interface Trial {
  readonly actions: readonly string[];
  readonly statement: ReadStatement | undefined;
  readonly obstacles: readonly Obstacle[];
  readonly unknown: readonly string[];
  readonly add: Statement;
}

function tryAll(statements: readonly ReadStatement[], need: Need, around: MissingContext): Trial {
  const common = { actions: [need.action], add: need.statement };
  const [nearest] = statements
    .filter(({ isAllow }) => isAllow)
    .map((statement): Trial => {
      const { obstacles, unknown } = match(statement, need);
      return { ...common, statement, obstacles: [...obstacles, ...toDelegation(statement, need, around)], unknown };
    })
    .toSorted((a, b) => a.obstacles.length - b.obstacles.length || a.unknown.length - b.unknown.length);
  return nearest ?? { ...common, statement: undefined, obstacles: [], unknown: [] };
}

const isMet = ({ statement, obstacles }: Trial): boolean => statement !== undefined && obstacles.length === 0;

/** Merges the trials that the same statement corrects. */
function mergeByRemedy(trials: readonly Trial[]): readonly Trial[] {
  const merged = new Map<string, Trial>();
  for (const trial of trials.filter((one) => !isMet(one))) {
    const key = JSON.stringify([trial.statement?.number, trial.add]);
    const { actions, obstacles } = merged.get(key) ?? { actions: [], obstacles: [] };
    merged.set(key, {
      ...trial,
      actions: [...new Set([...actions, ...trial.actions])],
      obstacles: [...obstacles, ...trial.obstacles],
    });
  }
  return [...merged.values()];
}

function toFinding({ actions, statement, obstacles, add }: Trial, needs: readonly Need[]): CheckFinding {
  const refused = `${actions.join(" and ")} ${actions.length > 1 ? "are" : "is"} not allowed`;
  if (statement === undefined) return { severity: "missing", message: refused, add: [add] };
  const reasons = [...new Set(obstacles.map(({ text }) => text))].join(", and ");
  const message = `${refused}: statement ${statement.number} ${reasons}`;
  const finding = { severity: "missing", statement: statement.number, message, add: [add] } as const;
  return isSlip(statement, obstacles, needs) ? { ...finding, remove: true } : finding;
}

/** Whether the statement allows nothing that is needed, so that another can replace it. */
function isSlip(statement: ReadStatement, obstacles: readonly Obstacle[], needs: readonly Need[]): boolean {
  const isOne = (values: readonly string[] = []) => values.length <= 1;
  return (
    obstacles.every((obstacle) => obstacle.isSlip) &&
    isOne([...(statement.principal?.values ?? []), ...statement.others]) &&
    isOne(statement.resource?.values) &&
    needs.every((need) => match(statement, need).obstacles.length > 0)
  );
}

function toNotes(trial: Trial): readonly CheckFinding[] {
  const { actions, statement, unknown } = trial;
  if (statement === undefined || !isMet(trial) || unknown.length === 0) return [];
  const allows = `statement ${statement.number} allows ${actions.join(" and ")}`;
  const message = `${allows} if its condition on ${unknown.join(" and ")} is met, which cannot be checked here`;
  return [{ ...toNote(statement), message }];
}

/**
 * An account as the principal of a key policy delegates to IAM policies, and allows nothing itself.
 * https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html#key-policy-default-allow-root-enable-iam
 */
function toDelegation(
  { principal }: ReadStatement,
  need: Need,
  { documentName, isDecryptOwn }: MissingContext,
): Obstacle[] {
  if (documentName !== "keyPolicy" || isDecryptOwn || principal === undefined || principal.isNot) return [];
  const isNamed = principal.values.some((value) => value === "*" || need.principals?.includes(value));
  const isLeft = principal.values.some((value) => value.endsWith(":root") || /^\d{12}$/.test(value));
  return isLeft && !isNamed ? [{ text: "delegates to the role's own permissions", isSlip: false }] : [];
}

const toNote = ({ number }: ReadStatement) => ({ severity: "note" as const, statement: number });
