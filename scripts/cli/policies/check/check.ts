/** What is missing or too wide in documents that are there. Pure. */
import type { DocumentKind } from "../documents.ts";
import type { Setup } from "../setup.ts";
import { type FileFinding, type Finding, isFault } from "./finding.ts";
import { findMissing } from "./missing.ts";
import { toNeeds } from "./needs.ts";
import { matchesAction } from "./patterns.ts";
import { findDocuments, type ReadDocument, type ReadStatement, readDocument } from "./statements.ts";
import { findExcess } from "./width.ts";

export interface File {
  readonly name: string;
  readonly text: string;
}

export function check(files: readonly File[], setup: Setup): readonly FileFinding[] {
  const read = files.flatMap(({ name, text }) => readFile(name, text));
  const isDecryptOwn = read.some(
    ({ kind, document }) => kind === "permissionsPolicy" && document?.statements.some(allowsDecrypt),
  );
  return read.flatMap(({ file, kind, document, findings }): FileFinding[] => {
    const needs = kind === undefined ? [] : toNeeds(kind, setup);
    const found: Finding[] =
      kind === undefined || document === undefined
        ? [...findings]
        : [
            ...findings,
            ...findMissing(document.statements, needs, { kind, isDecryptOwn }),
            ...findExcess(kind, document, setup, needs),
          ];
    if (kind !== undefined && needs.length === 0 && !found.some(isFault)) found.push(UNTOLD[kind]);
    return withoutIdleNotes(found).map((finding) => ({ file, document: kind, ...finding }));
  });
}

/** Silence would be taken for praise. */
const toUntold = (what: string): Finding => ({
  severity: "note",
  message: `whether it allows what it should was not checked: ${what}`,
});
const UNTOLD: Readonly<Record<DocumentKind, Finding>> = {
  trustPolicy: toUntold("--caller-role-arn says who is to be trusted"),
  permissionsPolicy: toUntold("--role-arn, --region, and --secret or --parameter say what is to be read"),
  keyPolicy: toUntold("--role-arn says who is to use the key"),
  callerPolicy: toUntold("--role-arn says what is to be assumed"),
};

/** What is to be noted of a statement that is to go, nobody has to know. */
function withoutIdleNotes(findings: readonly Finding[]): readonly Finding[] {
  const removed = findings.filter(({ remove }) => remove).map(({ statement }) => statement);
  return findings.filter((finding) => isFault(finding) || !removed.includes(finding.statement));
}

interface Read {
  readonly file: string;
  readonly kind: DocumentKind | undefined;
  readonly document: ReadDocument | undefined;
  readonly findings: readonly Finding[];
}

/** A file may hold several documents. */
function readFile(file: string, text: string): readonly Read[] {
  const documents = findDocuments(text)?.map(readDocument);
  const none = (message: string): Read[] => [
    { file, kind: undefined, document: undefined, findings: [{ severity: "missing", message }] },
  ];
  if (documents === undefined) return none("this is no JSON, and AWS refuses it");
  if (documents.length === 0) return none('there is no policy in it: nothing has a "Statement"');
  return documents.map((document) => {
    const kind = toKind(document);
    return { file, kind, document, findings: [...document.findings, ...findMisplaced(kind, document)] };
  });
}

/** A role trusts as a whole; all other policies have to say what they are about. */
function findMisplaced(kind: DocumentKind | undefined, { statements, findings }: ReadDocument): readonly Finding[] {
  if (kind === undefined) {
    // It may be one that could not be read.
    if (findings.some(isFault)) return [];
    return [{ severity: "note", message: "this is none of the four policies, and was not checked" }];
  }
  const isTrust = kind === "trustPolicy";
  const word = isTrust ? 'has a "Resource", which a trust policy must not have' : 'must have a "Resource"';
  return statements
    .filter(({ resource }) => (resource === undefined) !== isTrust)
    .map(({ number }) => ({
      severity: "missing",
      statement: number,
      message: `statement ${number} ${word}: AWS refuses the document`,
    }));
}

/** Which of the four it is, by what it has. */
function toKind({ statements }: ReadDocument): DocumentKind | undefined {
  const has = (service: string) =>
    statements.some(({ action }) =>
      action.values.some((value) => value === "*" || value.toLowerCase().startsWith(`${service}:`)),
    );
  if (statements.some(({ principal }) => principal !== undefined)) {
    // `*` alone may be either; a trust policy has no resource.
    if (has("sts") && (!has("kms") || statements.every(({ resource }) => resource === undefined))) return "trustPolicy";
    return has("kms") ? "keyPolicy" : undefined;
  }
  // A function's role may read things of its own, too; the role that it assumes assumes no other.
  const assumes = ({ isAllow, action }: ReadStatement) =>
    isAllow && !action.isNot && action.values.some((value) => value.toLowerCase() === "sts:assumerole");
  if (statements.some(assumes)) return "callerPolicy";
  if (["secretsmanager", "ssm", "kms"].some(has)) return "permissionsPolicy";
  return has("sts") ? "callerPolicy" : undefined;
}

const allowsDecrypt = ({ isAllow, action }: ReadStatement): boolean =>
  isAllow && !action.isNot && action.values.some((value) => matchesAction(value, "kms:Decrypt"));
