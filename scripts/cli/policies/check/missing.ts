/** What a document does not allow, and why not. Pure. */
import type { Statement } from "../../../../extension/failure/statements.ts";
import type { DocumentKind } from "../documents.ts";
import type { Finding } from "./finding.ts";
import type { Need } from "./needs.ts";
import { match, type Obstacle } from "./obstacles.ts";
import type { ReadStatement } from "./statements.ts";

export interface Around {
  readonly kind: DocumentKind;
  /** Whether the role's own permissions allow kms:Decrypt, so that a key's policy may leave it to them. */
  readonly isDecryptOwn: boolean;
}

export function findMissing(
  statements: readonly ReadStatement[],
  needs: readonly Need[],
  around: Around,
): readonly Finding[] {
  const denied = needs.flatMap((need) => statements.flatMap((statement) => findDeny(statement, need)));
  const tried = needs.map((need) => tryAll(statements, need, around));
  const unmet = mergeByRemedy(tried).map((trial) => toFinding(trial, needs));
  const findings = [...denied, ...unmet, ...tried.flatMap(toNotes)];
  return [...new Map(findings.map((finding) => [JSON.stringify(finding), finding])).values()];
}

function findDeny(statement: ReadStatement, need: Need): readonly Finding[] {
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
      message: `${message}, and no Allow outweighs it`,
      remove: true,
    },
  ];
}

/** The Allow that comes nearest to what is needed. */
interface Trial {
  readonly actions: readonly string[];
  readonly statement: ReadStatement | undefined;
  readonly obstacles: readonly Obstacle[];
  readonly unknown: readonly string[];
  readonly add: Statement;
}

function tryAll(statements: readonly ReadStatement[], need: Need, around: Around): Trial {
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

/** One for all that the same statement mends. */
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

function toFinding({ actions, statement, obstacles, add }: Trial, needs: readonly Need[]): Finding {
  const refused = `${actions.join(" and ")} ${actions.length > 1 ? "are" : "is"} not allowed`;
  if (statement === undefined) return { severity: "missing", message: refused, add: [add] };
  const reasons = [...new Set(obstacles.map(({ text }) => text))].join(", and ");
  const message = `${refused}: statement ${statement.number} ${reasons}`;
  const finding = { severity: "missing", statement: statement.number, message, add: [add] } as const;
  return isSlip(statement, obstacles, needs) ? { ...finding, remove: true } : finding;
}

/** Whether the statement is good for nothing as it stands, so that another may take its place. */
function isSlip(statement: ReadStatement, obstacles: readonly Obstacle[], needs: readonly Need[]): boolean {
  const isOne = (values: readonly string[] = []) => values.length <= 1;
  return (
    obstacles.every((obstacle) => obstacle.isSlip) &&
    isOne([...(statement.principal?.values ?? []), ...statement.others]) &&
    isOne(statement.resource?.values) &&
    needs.every((need) => match(statement, need).obstacles.length > 0)
  );
}

function toNotes(trial: Trial): readonly Finding[] {
  const { actions, statement, unknown } = trial;
  if (statement === undefined || !isMet(trial) || unknown.length === 0) return [];
  const allows = `statement ${statement.number} allows ${actions.join(" and ")}`;
  const message = `${allows} where its condition on ${unknown.join(" and ")} is met, which cannot be told from here`;
  return [{ ...toNote(statement), message }];
}

/**
 * The account in a key policy leaves the decision to IAM, and allows nobody anything.
 * https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html#key-policy-default-allow-root-enable-iam
 */
function toDelegation({ principal }: ReadStatement, need: Need, { kind, isDecryptOwn }: Around): readonly Obstacle[] {
  if (kind !== "keyPolicy" || isDecryptOwn || principal === undefined || principal.isNot) return [];
  const isNamed = principal.values.some((value) => value === "*" || need.principals?.includes(value));
  const isLeft = principal.values.some((value) => value.endsWith(":root") || /^\d{12}$/.test(value));
  return isLeft && !isNamed ? [{ text: "leaves it to the role's own permissions", isSlip: false }] : [];
}

const toNote = ({ number }: ReadStatement) => ({ severity: "note" as const, statement: number });
