/** One connection: what is sent on it, and what came back, with all that is wrong with the form of the answers. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";

export interface Conversation {
  /** Latin-1. Each piece is written by itself. */
  readonly pieces: readonly string[];
  /**
   * What the client does when all is sent: waits for so many answers; closes its half, and waits for the end; resets the
   * connection at once; or waits until the server closes the connection.
   */
  readonly end: { readonly answers: number } | "half-close" | "reset" | "wait";
  /** Whether the answer of that number has no body because its request was a HEAD. Undefined if that is not certain. */
  readonly isHead: (number: number) => boolean | undefined;
}

export interface FuzzReply {
  readonly status: number;
  /** The lines of the head, as received. */
  readonly head: string;
  readonly body: string;
}

export interface Transcript {
  readonly answers: readonly FuzzReply[];
  /** What is wrong with the form of the answers. */
  readonly problem: string | undefined;
  readonly ended: "answered" | "closed" | "reset" | "hung";
  readonly ms: number;
}

/** A half-close that comes at once would leave no time for an answer that takes a turn or two of the event loop. */
const PAUSE_MS = 3;
/** The server closes a connection without a whole head after 10 s, and looks every 2 s. The machine may be busy. */
const LIMIT_MS = 40_000;

export async function converse(port: number, { pieces, end, isHead }: Conversation): Promise<Transcript> {
  const startedMs = performance.now();
  const reader = createAnswerReader(isHead);
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  let ended: Transcript["ended"] | undefined;
  let isSent = false;
  const over = new Promise<void>((resolve) => {
    const finish = (how: Transcript["ended"]) => {
      ended ??= how;
      resolve();
    };
    const timer = setTimeout(() => finish("hung"), LIMIT_MS);
    const isAnswered = () => typeof end === "object" && reader.answers.length >= end.answers;
    socket.on("data", (bytes: Buffer) => {
      reader.push(bytes);
      if (isAnswered() || reader.problem !== undefined) finish("answered");
      else if (end === "half-close" && isSent) socket.end();
    });
    socket.on("end", () => finish("closed"));
    socket.on("error", () => finish("reset"));
    socket.on("close", () => {
      clearTimeout(timer);
      finish("closed");
    });
    if (isAnswered()) finish("answered");
  });
  await once(socket, "connect").catch(() => {});
  await send(socket, pieces);
  isSent = true;
  if (end === "reset") socket.resetAndDestroy();
  else if (end === "half-close") setTimeout(() => socket.end(), PAUSE_MS);
  await over;
  // A reset avoids TIME_WAIT, in which a run of a million requests would use up the ports.
  if (!socket.destroyed) socket.resetAndDestroy();
  const isCut = end === "reset" || ended === "reset";
  const problem = isCut ? reader.problem : reader.finish();
  return { answers: reader.answers, problem, ended: ended ?? "closed", ms: performance.now() - startedMs };
}

async function send(socket: Socket, pieces: readonly string[]): Promise<void> {
  for (const [index, piece] of pieces.entries()) {
    if (index > 0) await turn();
    if (!socket.writable) return;
    socket.write(piece, "latin1");
  }
}

export interface AnswerReader {
  readonly answers: readonly FuzzReply[];
  /** Says what is not well-formed HTTP, if something is not. */
  readonly problem: string | undefined;
  push(bytes: Buffer): void;
  /** To be called when no more bytes will come. Returns what is wrong then, for example a part of an answer. */
  finish(): string | undefined;
}

const STATUS_LINE = /^HTTP\/1\.1 (\d{3}) [ -~]*$/;
const HEADER = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+: [ -~]*$/;

export function createAnswerReader(isHead: (number: number) => boolean | undefined): AnswerReader {
  const answers: FuzzReply[] = [];
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
      // If the last answer is to a HEAD, its body is rightly missing.
      const isHeadAlone = rest.endsWith("\r\n\r\n") && isHead(answers.length) === undefined;
      return isHeadAlone ? undefined : `an answer is cut short: ${JSON.stringify(rest.slice(0, 300))}`;
    },
  };
}

const isAnotherAnswer = (text: string, at: number): boolean => text.startsWith("HTTP/1.1 ", at);

/** A refusal must be JSON with a type and a message. No answer may be cached. */
function toProblem(status: number, head: string, body: string, isBodiless: boolean): string | undefined {
  if (!/^cache-control: no-store$/im.test(head)) return `an answer may be cached: ${JSON.stringify(head)}`;
  if (status < 400 || isBodiless) return undefined;
  try {
    const { __type, message } = JSON.parse(Buffer.from(body, "latin1").toString());
    if (typeof __type === "string" && typeof message === "string") return undefined;
  } catch {
    // A body that is not JSON is as wrong as one without a message.
  }
  return `a refusal is ${JSON.stringify(body.slice(0, 300))}`;
}
