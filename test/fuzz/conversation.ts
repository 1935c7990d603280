/** One connection: what is sent on it, and what came back. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { type Answer, createAnswerReader } from "./answers.ts";

export interface Conversation {
  /** Latin-1, each written by itself. */
  readonly pieces: readonly string[];
  /**
   * What the client does once all is sent: waits for so many answers; closes its half, and waits for the end; resets the
   * connection at once; or waits for the server's patience to end.
   */
  readonly end: { readonly answers: number } | "half-close" | "reset" | "wait";
  /** Whether the answer of that number has no body because its request was a HEAD; undefined: who knows. */
  readonly isHead: (number: number) => boolean | undefined;
}

export interface Transcript {
  readonly answers: readonly Answer[];
  /** What is wrong with the form of the answers. */
  readonly problem: string | undefined;
  readonly ended: "answered" | "closed" | "reset" | "hung";
  readonly ms: number;
}

/** An end of its own half that comes at once would leave no time for an answer that takes a turn or two. */
const PAUSE_MS = 3;
/** The server's own patience is 10 s, looked at every 2 s; the machine may be busy. */
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
  // No TIME_WAIT: a run of a million would use up the ports.
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
