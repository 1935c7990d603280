/** What a statement lets through beyond what is meant. Pure. */
import type { Statement } from "../../../../extension/failure/statements.ts";
import type { Setup } from "../setup.ts";
import type { Severity } from "./finding.ts";
import { isPattern, matchesAction } from "./patterns.ts";
import type { ReadStatement } from "./statements.ts";

export interface Excess {
  readonly severity: Severity;
  /** In words that follow the statement's number. */
  readonly text: string;
  /** What to put in its place, where that is not what is needed. */
  readonly add?: readonly Statement[];
}
export type Find = (statement: ReadStatement, around: Around) => readonly Excess[];
export interface Around {
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
  return nots.map((name) => tooWide(`allows by ${name} all but what it leaves out`));
}

/** A pattern that lets through one of these actions, and others with it. */
export const findWideActions =
  (...actions: readonly string[]): Find =>
  ({ action: { isNot, values } }) => {
    const wide = values.filter((value) => isPattern(value) && actions.some((action) => matchesAction(value, action)));
    return isNot || wide.length === 0 ? [] : [tooWide(`allows every action of ${wide.join(", ")}`)];
  };
