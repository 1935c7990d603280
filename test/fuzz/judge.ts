/** The rules that every answer must keep, whatever was sent. */
import type { Conversation, FuzzReply, Transcript } from "./connection.ts";
import type { LayerUnderTest } from "./layer.ts";
import type { PredictedRequest } from "./predicted-requests.ts";
import { mayBeGranted, mayClose, readStrictly } from "./strict-http.ts";

/** The fake AWS has any region, but a mutated ARN may name a region that cannot exist: then the call to AWS fails. */
const INVENTED_REGION = / in (?!(?:eu-west|eu-central|us-east)-1 )[a-z0-9-]+ as /;
/** In the refusal of bytes that are no request. */
const NO_HTTP = "not acceptable HTTP";

/** Returns the first rule that is broken, or undefined if none is. */
export function judge(
  { pieces, end }: Conversation,
  { answers, problem, ended, ms }: Transcript,
  layer: LayerUnderTest,
  predicted?: readonly PredictedRequest[],
): string | undefined {
  if (problem !== undefined) return problem;
  if (ended === "hung") return `after ${Math.round(ms)} ms the connection is neither answered nor closed`;
  const sent = pieces.join("");
  const reading = readStrictly(sent);
  for (const [number, answer] of answers.entries()) {
    const { status, head, body } = answer;
    const statuses = predicted?.[number]?.statuses;
    if (statuses?.includes(status) === false) {
      return `answer ${number + 1} has status ${status}, expected ${statuses.join(" or ")}: ${JSON.stringify(body.slice(0, 200))}`;
    }
    if (status >= 500 && layer.mode !== "disabled" && !INVENTED_REGION.test(body))
      return `answer ${number + 1} has status ${status}: ${body}`;
    const request = reading.requests[number];
    const isPlain = request !== undefined && !reading.requests.slice(0, number + 1).some(mayClose);
    if (isPlain && body.includes(NO_HTTP)) return `answer ${number + 1} refuses good HTTP, or comes before its turn`;
    if (isGrant(answer)) {
      if (request !== undefined && !mayBeGranted(request, layer))
        return `answer ${number + 1} grants what must not be granted`;
    } else if (/CANARY/.test(head + body)) return `answer ${number + 1}, a refusal, holds a secret`;
  }
  if (end === "wait" && ![408, 431].includes(answers.at(-1)?.status ?? 0))
    return "a connection with half a head is closed without an answer";
  // No other route answers HEAD, which gets the length of the body without the body.
  const isPing = ({ head, body }: FuzzReply) =>
    body === "healthy" || (body === "" && /^content-length: 7$/im.test(head));
  const shown = sent.split(layer.token).length - 1;
  const granted = answers.filter((answer) => isGrant(answer) && !isPing(answer)).length;
  if (granted > shown) return `${granted} answers grant something, and the token was shown ${shown} times`;
  if (end === "reset" || !reading.isWhole) return undefined;
  const { length } = reading.requests;
  const isShort = answers.length < length && !reading.requests.some(mayClose);
  return isShort || answers.length > length ? `${length} requests have ${answers.length} answers` : undefined;
}

/** Without a token, every answer must be a refusal. */
const isGrant = ({ status }: FuzzReply): boolean => status < 400;
