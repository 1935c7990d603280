/** Finds what is missing or too wide in existing documents. Pure. */
import type { DocumentName } from "../documents.ts";
import type { Setup } from "../setup.ts";
import { type CheckFinding, type FileFinding, isFault } from "./finding.ts";
import { findMissing } from "./missing.ts";
import { toNeeds } from "./needs.ts";
import { matchesAction } from "./patterns.ts";
import { findDocuments, type ReadDocument, type ReadStatement, readDocument } from "./statements.ts";
import { findExcess } from "./width.ts";

export interface PolicyFile {
  readonly name: string;
  readonly text: string;
}

export function check(files: readonly PolicyFile[], setup: Setup): readonly FileFinding[] {
  const read = files.flatMap(({ name, text }) => readFile(name, text));
  const isDecryptOwn = read.some(
    ({ documentName, document }) => documentName === "permissionsPolicy" && document?.statements.some(allowsDecrypt),
  );
  return read.flatMap(({ file, documentName, document, findings }): FileFinding[] => {
    const needs = documentName === undefined ? [] : toNeeds(documentName, setup);
    const found: CheckFinding[] =
      documentName === undefined || document === undefined
        ? [...findings]
        : [
            ...findings,
            ...findMissing(document.statements, needs, { documentName, isDecryptOwn }),
            ...findExcess(documentName, document, setup, needs),
          ];
    if (documentName !== undefined && needs.length === 0 && !found.some(isFault)) found.push(UNCHECKED[documentName]);
    return withoutUselessNotes(found).map((finding) => ({ file, document: documentName, ...finding }));
  });
}

/** Without this note, no finding would look like a successful check. */
const toUnchecked = (option: string): CheckFinding => ({
  severity: "note",
  message: `whether it allows what it should was not checked: ${option}`,
});
const UNCHECKED: Readonly<Record<DocumentName, CheckFinding>> = {
  trustPolicy: toUnchecked("--caller-role-arn must say which role it must trust"),
  permissionsPolicy: toUnchecked("--role-arn, --region, and --secret or --parameter must say what the role reads"),
  keyPolicy: toUnchecked("--role-arn must say which role uses the key"),
  callerPolicy: toUnchecked("--role-arn must say which role is assumed"),
};

/** Leaves out the notes on a statement that another finding removes. */
function withoutUselessNotes(findings: readonly CheckFinding[]): readonly CheckFinding[] {
  const removed = findings.filter(({ remove }) => remove).map(({ statement }) => statement);
  return findings.filter((finding) => isFault(finding) || !removed.includes(finding.statement));
}

interface ReadFile {
  readonly file: string;
  readonly documentName: DocumentName | undefined;
  readonly document: ReadDocument | undefined;
  readonly findings: readonly CheckFinding[];
}

/** A file may hold several documents. */
function readFile(file: string, text: string): readonly ReadFile[] {
  const documents = findDocuments(text)?.map(readDocument);
  const none = (message: string): ReadFile[] => [
    { file, documentName: undefined, document: undefined, findings: [{ severity: "missing", message }] },
  ];
  if (documents === undefined) return none("this is not JSON, so AWS rejects it");
  if (documents.length === 0) return none('it contains no policy: nothing has a "Statement"');
  return documents.map((document) => {
    const documentName = toDocumentName(document);
    return { file, documentName, document, findings: [...document.findings, ...findMisplaced(documentName, document)] };
  });
}

/** A trust policy is about its own role. All other policies must name their resources. */
function findMisplaced(documentName: DocumentName | undefined, { statements, findings }: ReadDocument): CheckFinding[] {
  if (documentName === undefined) {
    // It may be one of the four that could not be read.
    if (findings.some(isFault)) return [];
    return [{ severity: "note", message: "this is none of the four policies, and was not checked" }];
  }
  const isTrust = documentName === "trustPolicy";
  const word = isTrust ? 'has a "Resource", which a trust policy must not have' : 'must have a "Resource"';
  return statements
    .filter(({ resource }) => (resource === undefined) !== isTrust)
    .map(({ number }) => ({
      severity: "missing",
      statement: number,
      message: `statement ${number} ${word}: AWS rejects the document`,
    }));
}

/** Recognizes which of the four it is by its content. */
function toDocumentName({ statements }: ReadDocument): DocumentName | undefined {
  const has = (service: string) =>
    statements.some(({ action }) =>
      action.values.some((value) => value === "*" || value.toLowerCase().startsWith(`${service}:`)),
    );
  if (statements.some(({ principal }) => principal !== undefined)) {
    // The action `*` fits both, but a trust policy has no resource.
    if (has("sts") && (!has("kms") || statements.every(({ resource }) => resource === undefined))) return "trustPolicy";
    return has("kms") ? "keyPolicy" : undefined;
  }
  // The function's role may also read secrets itself. The role that it assumes does not assume another one.
  const assumes = ({ isAllow, action }: ReadStatement) =>
    isAllow && !action.isNot && action.values.some((value) => value.toLowerCase() === "sts:assumerole");
  if (statements.some(assumes)) return "callerPolicy";
  if (["secretsmanager", "ssm", "kms"].some(has)) return "permissionsPolicy";
  return has("sts") ? "callerPolicy" : undefined;
}

const allowsDecrypt = ({ isAllow, action }: ReadStatement): boolean =>
  isAllow && !action.isNot && action.values.some((value) => matchesAction(value, "kms:Decrypt"));
