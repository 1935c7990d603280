/** Finds what a document allows beyond the need. Pure. */
import type { DocumentName } from "../documents.ts";
import type { Setup } from "../setup.ts";
import { type Excess, type Find, findNots, findWideActions } from "./excess.ts";
import {
  findEveryone,
  findKeyActions,
  findOtherActions,
  findWideKeys,
  findWideResources,
  findWideRoles,
  READING,
} from "./excess-of-permissions.ts";
import { findLooseConditions, findWidePrincipals } from "./excess-of-trust.ts";
import type { CheckFinding } from "./finding.ts";
import type { Need } from "./needs.ts";
import { match } from "./obstacles.ts";
import type { ReadDocument, ReadStatement } from "./statements.ts";

const SEARCHES: Readonly<Record<DocumentName, readonly Find[]>> = {
  trustPolicy: [findWidePrincipals, findLooseConditions, findWideActions("sts:AssumeRole")],
  permissionsPolicy: [findWideActions(...READING), findOtherActions, findWideResources, findWideKeys],
  keyPolicy: [findEveryone, findKeyActions],
  callerPolicy: [findWideRoles],
};

export function findExcess(
  documentName: DocumentName,
  { statements }: ReadDocument,
  setup: Setup,
  needs: readonly Need[],
): readonly CheckFinding[] {
  return statements
    .filter(({ isAllow }) => isAllow)
    .flatMap((statement) => {
      const found = [findNots, ...SEARCHES[documentName]].flatMap((find) => find(statement, { setup, statements }));
      const { number } = statement;
      const others = found.filter(({ severity }) => severity !== "too wide");
      return [
        ...others.map(({ text, ...rest }) => ({ ...rest, statement: number, message: `statement ${number} ${text}` })),
        ...toWidth(
          statement,
          found.filter(({ severity }) => severity === "too wide"),
          needs,
        ),
      ];
    });
}

/** One finding for all, because one statement is replaced: by those of the needs that it met, or by those of the excess. */
function toWidth(statement: ReadStatement, wide: readonly Excess[], needs: readonly Need[]): readonly CheckFinding[] {
  if (wide.length === 0) return [];
  const { number } = statement;
  const message = `statement ${number} ${wide.map(({ text }) => text).join(", and ")}`;
  const finding = { severity: "too wide", statement: number, message } as const;
  const met = needs.filter((need) => match(statement, need).obstacles.length === 0).map((need) => need.statement);
  const added = wide.flatMap(({ add = [] }) => add);
  // It is replaced only if no other principal needs it.
  const isShared = [...(statement.principal?.values ?? []), ...statement.others].length > 1;
  if (isShared || (needs.length === 0 && added.length === 0)) return [finding];
  const add = [...new Map([...met, ...added].map((one) => [JSON.stringify(one), one])).values()];
  return [{ ...finding, remove: true, add }];
}
