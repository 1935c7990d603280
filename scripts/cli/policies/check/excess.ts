/** Finds what any statement allows beyond the need. Pure. */
import type { Statement } from "../../../../extension/failure/statements.ts";
import type { Setup } from "../setup.ts";
import type { Severity } from "./finding.ts";
import { isPattern, matchesAction } from "./patterns.ts";
import type { ReadStatement } from "./statements.ts";

export interface Excess {
  readonly severity: Severity;
  /** Follows the statement's number in a sentence. */
  readonly text: string;
  /** The statements that replace it, if they are not those of the needs. */
  readonly add?: readonly Statement[];
}
export type Find = (statement: ReadStatement, around: ExcessContext) => readonly Excess[];
export interface ExcessContext {
  readonly setup: Setup;
  readonly statements: readonly ReadStatement[];
}

export const tooWide = (text: string): Excess => ({ severity: "too wide", text });
export const note = (text: string): Excess => ({ severity: "note", text });

export function findNots({ principal, action, resource }: ReadStatement): readonly Excess[] {
  const nots = [
    ...(principal?.isNot ? ["NotPrincipal"] : []),
    ...(action.isNot ? ["NotAction"] : []),
    ...(resource?.isNot ? ["NotResource"] : []),
  ];
  return nots.map((name) => tooWide(`allows everything that ${name} does not list`));
}

/** Finds patterns that match one of these actions, and so match others. */
export const findWideActions =
  (...actions: readonly string[]): Find =>
  ({ action: { isNot, values } }) => {
    const wide = values.filter((value) => isPattern(value) && actions.some((action) => matchesAction(value, action)));
    return isNot || wide.length === 0 ? [] : [tooWide(`allows every action of ${wide.join(", ")}`)];
  };
