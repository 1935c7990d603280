/** What is found in a document, and what to do about it. Pure. */
import type { Statement } from "../../../../extension/failure/statements.ts";
import type { CommandWorld } from "../../world.ts";
import type { DocumentKind } from "../documents.ts";

/** `missing`: nothing is read with this. `too wide`: more than is meant is let through. `note`: no fault. */
export type Severity = "missing" | "too wide" | "note";

export interface Finding {
  readonly severity: Severity;
  /** Which one is at fault, from 1; undefined where it is none, or the whole document. */
  readonly statement?: number;
  readonly message: string;
  /** Whether the statement at fault is to go. */
  readonly remove?: boolean;
  readonly add?: readonly Statement[];
}

export interface FileFinding extends Finding {
  readonly file: string;
  /** What the file was taken for; undefined where it is none of the four. */
  readonly document: DocumentKind | undefined;
}

const WORDS = {
  trustPolicy: "trust policy",
  permissionsPolicy: "permissions policy",
  keyPolicy: "key policy",
  callerPolicy: "caller's policy",
} as const satisfies Record<DocumentKind, string>;

const STYLES = { missing: "red", "too wide": "yellow", note: "dim" } as const satisfies Record<Severity, string>;

/** One line. */
export function toLine(finding: FileFinding, { paint }: CommandWorld): string {
  const { file, document, severity, message } = finding;
  const place = document === undefined ? file : `${file} (${WORDS[document]})`;
  return `${place}: ${paint(STYLES[severity], severity)}: ${message}${toRemedy(finding)}\n`;
}

function toRemedy({ statement, remove, add = [] }: Finding): string {
  const statements = add.map((one) => JSON.stringify(one)).join(", ");
  if (remove)
    return add.length > 0 ? `; in place of statement ${statement}: ${statements}` : `; remove statement ${statement}`;
  return add.length > 0 ? `; add ${statements}` : "";
}

/** Notes are no fault. */
export const isFault = ({ severity }: Finding): boolean => severity !== "note";
