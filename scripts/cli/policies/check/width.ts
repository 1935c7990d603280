/** What a document lets through that nobody means to. Pure. */
import type { DocumentKind } from "../documents.ts";
import type { Setup } from "../setup.ts";
import { type Excess, type Find, findNots, findWideActions } from "./excess.ts";
import { findAnybody, findKeyActions } from "./excess-of-key.ts";
import { findOtherActions, findWideKeys, findWideResources, findWideRoles, READING } from "./excess-of-permissions.ts";
import { findLooseConditions, findWidePrincipals } from "./excess-of-trust.ts";
import type { Finding } from "./finding.ts";
import type { Need } from "./needs.ts";
import { match } from "./obstacles.ts";
import type { ReadDocument, ReadStatement } from "./statements.ts";

const FINDERS: Readonly<Record<DocumentKind, readonly Find[]>> = {
  trustPolicy: [findWidePrincipals, findLooseConditions, findWideActions("sts:AssumeRole")],
  permissionsPolicy: [findWideActions(...READING), findOtherActions, findWideResources, findWideKeys],
  keyPolicy: [findAnybody, findKeyActions],
  callerPolicy: [findWideRoles],
};

export function findExcess(
  kind: DocumentKind,
  { statements }: ReadDocument,
  setup: Setup,
  needs: readonly Need[],
): readonly Finding[] {
  return statements
    .filter(({ isAllow }) => isAllow)
    .flatMap((statement) => {
      const found = [findNots, ...FINDERS[kind]].flatMap((find) => find(statement, { setup, statements }));
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

/** One for all, as one statement takes its place: what it was good for, or what is told. */
function toWidth(statement: ReadStatement, wide: readonly Excess[], needs: readonly Need[]): readonly Finding[] {
  if (wide.length === 0) return [];
  const { number } = statement;
  const message = `statement ${number} ${wide.map(({ text }) => text).join(", and ")}`;
  const finding = { severity: "too wide", statement: number, message } as const;
  const served = needs.filter((need) => match(statement, need).obstacles.length === 0).map((need) => need.statement);
  const told = wide.flatMap(({ add = [] }) => add);
  // Another takes its place only where nobody else lives by it.
  const isShared = [...(statement.principal?.values ?? []), ...statement.others].length > 1;
  if (isShared || (needs.length === 0 && told.length === 0)) return [finding];
  const add = [...new Map([...served, ...told].map((one) => [JSON.stringify(one), one])).values()];
  return [{ ...finding, remove: true, add }];
}
