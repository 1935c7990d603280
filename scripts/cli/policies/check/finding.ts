/** The findings of a check, and what to do about each. Pure. */
import type { Statement } from "../../../../extension/failure/statements.ts";
import type { CommandWorld } from "../../world.ts";
import type { DocumentName } from "../documents.ts";

/** `missing`: reading fails. `too wide`: more is allowed than is needed. `note`: not a fault. */
export type Severity = "missing" | "too wide" | "note";

export interface CheckFinding {
  readonly severity: Severity;
  /** The number of the faulty statement, from 1; undefined if it is none or the whole document. */
  readonly statement?: number;
  readonly message: string;
  /** Whether to remove the faulty statement. */
  readonly remove?: boolean;
  readonly add?: readonly Statement[];
}

export interface FileFinding extends CheckFinding {
  readonly file: string;
  /** Undefined if it is none of the four. */
  readonly document: DocumentName | undefined;
}

const WORDS = {
  trustPolicy: "trust policy",
  permissionsPolicy: "permissions policy",
  keyPolicy: "key policy",
  callerPolicy: "caller's policy",
} as const satisfies Record<DocumentName, string>;

const STYLES = { missing: "red", "too wide": "yellow", note: "dim" } as const satisfies Record<Severity, string>;

/** One line. */
export function toFindingLine(finding: FileFinding, { paint }: CommandWorld): string {
  const { file, document, severity, message } = finding;
  const place = document === undefined ? file : `${file} (${WORDS[document]})`;
  return `${place}: ${paint(STYLES[severity], severity)}: ${message}${toRemedy(finding)}\n`;
}

function toRemedy({ statement, remove, add = [] }: CheckFinding): string {
  const statements = add.map((one) => JSON.stringify(one)).join(", ");
  if (remove)
    return add.length > 0 ? `; replace statement ${statement} by ${statements}` : `; remove statement ${statement}`;
  return add.length > 0 ? `; add ${statements}` : "";
}

export const isFault = ({ severity }: CheckFinding): boolean => severity !== "note";
