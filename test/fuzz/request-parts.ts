/** The parts that requests of every route are made of, each with its effect on the status of the answer. */
import { TARGET_ROLE_ARN } from "../support/two-accounts.ts";
import { type LayerUnderTest, OTHER_ROLE_ARN } from "./layer.ts";

/** An id, a parameter or a line of a request. */
export interface RequestPart {
  readonly text: string;
  /** A request with this part is refused with one of these statuses, or with one of another part. */
  readonly refused?: readonly number[];
  /** The request may get one of these statuses: that depends on AWS, on other parts, or on earlier requests. */
  readonly maybe?: readonly number[];
}

export interface QueryParameter extends RequestPart {
  readonly name: string;
}

/** A good value that occurs twice is chosen twice as often. */
export function queryParameters({ versionId }: LayerUnderTest): readonly QueryParameter[] {
  const named = (name: string, parts: readonly RequestPart[]): readonly QueryParameter[] =>
    parts.map((part) => ({ name, ...part }));
  const good = (...texts: readonly string[]): readonly RequestPart[] =>
    texts.map((text) => ({ text, maybe: [400, 403, 404] }));
  const bad = (...texts: readonly string[]): readonly RequestPart[] => texts.map((text) => ({ text, refused: [400] }));
  const long = "v".repeat(257);
  return [
    ...named("versionId", [
      ...good(versionId, versionId, "0", "v".repeat(256)),
      ...bad("", " ", "é", long, "a b", "\0"),
    ]),
    ...named("versionStage", [
      ...good("AWSCURRENT", "AWSCURRENT", "AWSPREVIOUS", "none"),
      ...bad("", "é", long, "a\tb"),
    ]),
    ...named("refreshNow", [
      ...["false", "False", "0", "FALSE"].map((text) => ({ text })),
      ...["true", "1", "TRUE"].map((text) => ({ text, maybe: [429] })),
      ...bad("", "yes", "2", "true ", "null", "tru\u0435"),
    ]),
    ...named("roleArn", [
      ...good(TARGET_ROLE_ARN, TARGET_ROLE_ARN, OTHER_ROLE_ARN),
      ...bad("", "x", `${TARGET_ROLE_ARN}\n`),
    ]),
    { name: "roleArn", text: "arn:aws:iam::444444444444:role/Nobody", refused: [403] },
    ...named("key", [
      ...good(
        "password",
        "password",
        "name",
        "/password",
        "/list/0/1",
        "list",
        "/",
        "constructor",
        "__proto__",
        "/list/length",
        "/a~1b~0",
      ),
      ...bad("", "", "", "/~", "/a~2"),
    ]),
    // If a request has a version and a label, the extension uses the first and does not check the second.
    ...named("version", good("1", "2", "0", "", "é", "a b", "v".repeat(101))),
    ...named("label", good("none", "1", "", "é", "a:b")),
    ...named("withDecryption", [...["true", "0", "FALSE"].map((text) => ({ text })), ...bad("", "yes", "tru\u0435")]),
    ...["secretID", "SecretId", "", " ", "__proto__", "é"].flatMap((name) => named(name, bad("x", ""))),
  ];
}

/** The first three are right. */
export function hostHeaders({ port }: LayerUnderTest): readonly RequestPart[] {
  const lines = (...texts: readonly string[]) => texts.map((text) => ({ text, refused: [400] }));
  return [
    { text: `Host: 127.0.0.1:${port}` },
    { text: `Host: localhost:${port}` },
    { text: `hOST:\t LocalHost:${port} \t` },
    ...lines(
      "",
      "Host:",
      "Host: 127.0.0.1",
      "Host: localhost",
      `Host: 127.0.0.1:${port + 1}`,
      `Host: evil.example:${port}`,
    ),
    ...lines(
      `Host: 127.0.0.1:${port}.evil.example`,
      `Host: a@127.0.0.1:${port}`,
      `Host: [::1]:${port}`,
      `Host: 127.1:${port}`,
    ),
    ...lines(`Host: localhost.:${port}`, `Host: 127.0.0.1:0${port}`, `Host: localhost:${port}, localhost:${port}`),
    ...lines(`Host: 127.0.0.1:${port}\r\nHost: 127.0.0.1:${port}`, `Host: localhost:${port}\r\nhost: evil.example`),
    ...lines(`X-Host: 127.0.0.1:${port}`, `X-Forwarded-Host: 127.0.0.1:${port}`, `Host: 127.0.0.1:${port}\xa0`),
  ];
}

/** The first six are right. */
export function tokenHeaders({ token }: LayerUnderTest): readonly RequestPart[] {
  const own = "X-Aws-Parameters-Secrets-Token";
  const lines = (...texts: readonly string[]) => texts.map((text) => ({ text, refused: [403] }));
  return [
    { text: `${own}: ${token}` },
    { text: `X-Vault-Token: ${token}` },
    { text: `${own.toUpperCase()}:\t ${token} \t ` },
    { text: `${own.toLowerCase()}:${token}\r\nX-VAULT-TOKEN: wrong` },
    { text: `${own}: wrong\r\nX-Vault-Token: ${token}` },
    { text: `${own}: ${token}\r\nX-Vault-Token: ${token}` },
    ...lines(
      "",
      `${own}:`,
      `${own}: wrong`,
      `${own}: ${token.slice(0, -1)}`,
      `${own}: ${token}x`,
      `${own}: ${token.toUpperCase()}`,
    ),
    ...lines(
      `${own}: ${token}\r\n${own}: ${token}`,
      `${own}: ${token}\r\n${own}: wrong`,
      `${own}: wrong\r\n${own}: ${token}`,
    ),
    ...lines(`${own}: ${token}, ${token}`, `${own}: "${token}"`, `${own}: Bearer ${token}`, `Authorization: ${token}`),
    ...lines(
      `${own}: ${token}\xa0`,
      `${own}: ${token.replace("/", " ")}`,
      `${own}: ${encodeURIComponent(token)}`,
      `X-Token: ${token}`,
    ),
    ...lines(
      `${own.replaceAll("-", "_")}: ${token}`,
      `Cookie: ${own}=${token}`,
      `X-Vault-Token: ${Buffer.from(token).toString("base64")}`,
    ),
    ...lines(
      `${own}: ${token.slice(0, 9)}\r\nX-Vault-Token: ${token.slice(9)}`,
      `X-Vault-Token:\r\nX-Vault-Token: ${token}`,
    ),
  ];
}

/** Each of these goes with all other parts. */
export const otherHeaders: readonly RequestPart[] = [
  ...["Accept: */*", "User-Agent: fuzz/1 (\xe9)", "Cookie: a=b; c=d", "X-Real-IP: 10.0.0.1"].map((text) => ({ text })),
  { text: "Connection: keep-alive" },
  ...[
    "Origin: https://evil.example",
    "Range: bytes=0-3",
    "If-None-Match: *",
    "X-HTTP-Method-Override: POST",
    "__proto__: x",
  ].map((text) => ({ text })),
  ...["A: b\r\n".repeat(200).trimEnd(), `X-Long: ${"z".repeat(3_000)}`, "Content-Type: application/json", "X:"].map(
    (text) => ({ text }),
  ),
  ...["X-Forwarded-For: 10.0.0.1", "x-forwarded-for:", "FORWARDED: for=10.0.0.1", "Forwarded:", "Via: 1.1 x"].map(
    (text) => ({
      text,
      refused: [400],
    }),
  ),
];
