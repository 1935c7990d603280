/** The answers in what a connection has brought, with all that is wrong with their form. */
export interface Answer {
  readonly status: number;
  /** The lines of its head, as they came. */
  readonly head: string;
  readonly body: string;
}

export interface AnswerReader {
  readonly answers: readonly Answer[];
  /** What is not well-formed HTTP, once something is. */
  readonly problem: string | undefined;
  push(bytes: Buffer): void;
  /** No more will come: what is wrong about that. */
  finish(): string | undefined;
}

const STATUS_LINE = /^HTTP\/1\.1 (\d{3}) [ -~]*$/;
const HEADER = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+: [ -~]*$/;

/** `isHead` tells whether the answer of that number is to a HEAD, and so has no body; undefined: it may be. */
export function createAnswerReader(isHead: (number: number) => boolean | undefined): AnswerReader {
  const answers: Answer[] = [];
  let rest = "";
  let problem: string | undefined;

  function readOne(): boolean {
    const headEnd = rest.indexOf("\r\n\r\n");
    if (headEnd < 0) return false;
    const head = rest.slice(0, headEnd);
    const lines = head.split("\r\n");
    const status = Number(STATUS_LINE.exec(lines[0] ?? "")?.[1]);
    if (Number.isNaN(status) || !lines.slice(1).every((line) => HEADER.test(line))) {
      problem = `an answer begins with ${JSON.stringify(head.slice(0, 300))}`;
      return false;
    }
    const start = headEnd + 4;
    if (status === 100) {
      rest = rest.slice(start);
      return true;
    }
    const lengths = lines.filter((line) => /^content-length:/i.test(line)).map((line) => line.slice(16));
    const [length = "0"] = lengths;
    const isCounted = status === 204 ? lengths.length < 2 : lengths.length === 1;
    if (!isCounted || !/^\d+$/.test(length) || /^transfer-encoding:/im.test(head)) {
      problem = `an answer has ${lengths.length} Content-Lengths: ${JSON.stringify(head)}`;
      return false;
    }
    const toHead = isHead(answers.length);
    const hasNone = status === 204 || toHead || (toHead === undefined && isAnotherAnswer(rest, start));
    const end = hasNone ? start : start + Number(length);
    if (rest.length < end) return false;
    const body = rest.slice(start, end);
    answers.push({ status, head, body });
    rest = rest.slice(end);
    problem = toProblem(status, head, body, hasNone === true);
    return problem === undefined;
  }

  return {
    answers,
    get problem() {
      return problem;
    },
    push(bytes) {
      rest += bytes.toString("latin1");
      while (problem === undefined && rest !== "" && readOne());
    },
    finish() {
      if (problem !== undefined || rest === "") return problem;
      // Of an answer to a HEAD that came last, the body is rightly missing.
      const isHeadAlone = rest.endsWith("\r\n\r\n") && isHead(answers.length) === undefined;
      return isHeadAlone ? undefined : `an answer is cut short: ${JSON.stringify(rest.slice(0, 300))}`;
    },
  };
}

const isAnotherAnswer = (text: string, at: number): boolean => text.startsWith("HTTP/1.1 ", at);

/** Of a refusal: JSON with a type and a message. Nobody may keep anything. */
function toProblem(status: number, head: string, body: string, isBodiless: boolean): string | undefined {
  if (!/^cache-control: no-store$/im.test(head)) return `an answer may be kept: ${JSON.stringify(head)}`;
  if (status < 400 || isBodiless) return undefined;
  try {
    const { __type, message } = JSON.parse(Buffer.from(body, "latin1").toString());
    if (typeof __type === "string" && typeof message === "string") return undefined;
  } catch {
    // Falls through: it is as wrong as one without a message.
  }
  return `a refusal is ${JSON.stringify(body.slice(0, 300))}`;
}
