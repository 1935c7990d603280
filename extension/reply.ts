/** An answer before it becomes bytes on a socket. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** No answer of ours may be kept by anything between us and the function. */
export function toReply(
  status: number,
  contentType: string,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  return { status, headers: { "Content-Type": contentType, "Cache-Control": "no-store", ...headers }, body };
}

export function toJsonReply(status: number, body: object, headers: Readonly<Record<string, string>> = {}): Reply {
  return toReply(status, "application/json", JSON.stringify(body), headers);
}
