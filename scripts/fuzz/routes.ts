/**
 * The words of the structured generator, each with what it does to an answer. A new route, parameter or id is a new line
 * here, and nothing else.
 */
import {
  DELETED,
  DENIED,
  OTHER_REGION,
  OTHER_ROLE_ARN,
  PAIR,
  REGION,
  SECRET_NAME,
  TARGET_ROLE_ARN,
  type World,
} from "./world.ts";

/** A word of a request. */
export interface Word {
  readonly text: string;
  /** With it, the request is refused: with one of these, or with what another word has it refused with. */
  readonly refused?: readonly number[];
  /** It may be: that depends on AWS, on other words, or on what was asked before. */
  readonly maybe?: readonly number[];
}

export interface Parameter extends Word {
  readonly name: string;
}

export interface Route {
  readonly method: "GET" | "POST";
  /** What stands before and after the id; without an id, all of the path. */
  readonly path: readonly [string, string?];
  /** The parameter that the id is in, where it is not in the path. */
  readonly idParameter?: string;
  readonly ids: (world: World) => readonly Word[];
  /** The parameters that it knows, and the one that it cannot do without. */
  readonly parameters: readonly string[];
  readonly required?: string;
  readonly needsToken: boolean;
  readonly answer: Word & { readonly status: 200 | 204 };
}

const NONE = () => [];
const COMMON = ["versionId", "versionStage", "refreshNow", "roleArn"];
const given = { needsToken: true, answer: { text: "", status: 200 } } as const;
const refused = (...paths: readonly string[]): readonly Route[] =>
  paths.map((path) => ({
    ...given,
    method: "GET",
    path: [path],
    ids: NONE,
    parameters: COMMON,
    answer: { ...given.answer, refused: [400, 403, 404] },
  }));

export const routes: readonly Route[] = [
  {
    ...given,
    method: "GET",
    path: ["/secretsmanager/get"],
    idParameter: "secretId",
    ids: (world) => secretIds(world),
    parameters: COMMON,
  },
  { ...given, method: "GET", path: ["/v1/"], ids: (world) => secretIds(world), parameters: COMMON },
  { ...given, method: "GET", path: ["/secrets/"], ids: (world) => secretIds(world), parameters: [...COMMON, "key"] },
  {
    method: "POST",
    path: ["/secrets/", "/invalid"],
    ids: (world) => secretIds(world, false),
    parameters: ["versionId", "roleArn"],
    required: "versionId",
    needsToken: true,
    answer: { text: "", status: 204, maybe: [429] },
  },
  { ...given, method: "GET", path: ["/stats"], ids: NONE, parameters: [] },
  { ...given, method: "GET", path: ["/ping"], ids: NONE, parameters: [], needsToken: false },
];

/** Paths that are none, or that call a secret which nobody has. */
export const strangePaths = refused(
  ...[
    "/",
    "//",
    "/v1",
    "/secrets",
    "/secretsmanager",
    "/secretsmanager/get/",
    "/SECRETSMANAGER/get",
    "/secretsmanager//get",
  ],
  ...[
    "//secrets/x",
    "/./secrets/x",
    "/secrets/../stats",
    "/v1/..%2fstats",
    "/ping/",
    "/pingx",
    "/ping%3f",
    "/%70ing",
    "/stats/",
  ],
  ...["*", "/secrets//invalid", "/secrets/%2e%2e/x"],
  ...["http://127.0.0.1/ping", "http://127.0.0.1:2773/secrets/x", "//127.0.0.1/secrets/x", "/secrets/x#fragment"],
  ...[
    "/secrets/x;a=b",
    "/secretsmanager/get;secretId=x",
    "/secrets/x%00",
    "/secrets/%c0%ae",
    "/__proto__",
    "/v1/constructor/x y".replace(" ", "%20"),
  ],
);

/** `isAsked`: whether the route asks AWS, which then refuses what it has not. */
function secretIds({ mode, secretArn }: World, isAsked = true): readonly Word[] {
  const isAny = mode === "any";
  const refusedByAws = isAsked ? { refused: [400, 403, 404] } : { maybe: [400, 403, 404] };
  const arnOf = (region: string, account: string, name: string) =>
    `arn:aws:secretsmanager:${region}:${account}:secret:${name}`;
  const all = (effect: Omit<Word, "text">, ...texts: readonly string[]) => texts.map((text) => ({ text, ...effect }));
  const foreign = isAny ? refusedByAws : { refused: [400, 403] };
  const pair = arnOf(REGION, "111111111111", "pair-abcdef");
  return [
    // More often than the rest, which is refused.
    ...[1, 2, 3].flatMap(() => all({}, SECRET_NAME, "text-secret", "binary/secret", secretArn)),
    // AWS takes a name's last six characters for random ones: https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen
    ...all({ maybe: [403, 404] }, secretArn.slice(0, -7)),
    ...all({ maybe: [400, 403, 404] }, "pair-abcdef", pair, arnOf(OTHER_REGION, "333333333333", "shared")),
    ...all({ maybe: [400] }, "shared"),
    ...all(isAny ? refusedByAws : {}, "app/database"),
    ...all(isAny ? {} : refusedByAws, PAIR),
    ...all(foreign, DENIED, DELETED, "absent", "../x", ".", "a!b@c.d=e_f", `${SECRET_NAME}/`, "x".repeat(2_048)),
    ...all(foreign, arnOf(REGION, "999999999999", SECRET_NAME), arnOf("us-east-1", "111111111111", SECRET_NAME)),
    ...all({ refused: [400, 405] }, ""),
    ...all({ refused: [400] }, " ", `${SECRET_NAME} `, `${SECRET_NAME}\n`, "a\0b", "é", "ａ", "a:b", "a*", "a?b", "%"),
    ...all({ refused: [400] }, "%2e", "a\\b", "{}", "<x>", "\u202e", "a\r\nX: y", "x".repeat(2_049), "a#b", "a&b=c"),
    ...all({ refused: [400] }, "arn:aws:secretsmanager", arnOf(REGION, "12", "x"), arnOf(REGION, "111111111111", "")),
    ...all({ refused: [400, 414] }, "y".repeat(10_300)),
  ];
}

/** By weight: what is good comes more than once. */
export function parameters({ versionId }: World): readonly Parameter[] {
  const named = (name: string, words: readonly Word[]): readonly Parameter[] =>
    words.map((word) => ({ name, ...word }));
  const good = (...texts: readonly string[]): readonly Word[] =>
    texts.map((text) => ({ text, maybe: [400, 403, 404] }));
  const bad = (...texts: readonly string[]): readonly Word[] => texts.map((text) => ({ text, refused: [400] }));
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
      ...bad("", "/~", "/a~2"),
    ]),
    ...["secretID", "SecretId", "", " ", "__proto__", "name", "é", "withDecryption"].flatMap((name) =>
      named(name, bad("x", "")),
    ),
  ];
}

export function hosts({ port }: World): readonly Word[] {
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

export function tokens({ token }: World): readonly Word[] {
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

/** Any of these may stand beside all others. */
export const otherHeaders: readonly Word[] = [
  ...["Accept: */*", "User-Agent: fuzz/1 (\xe9)", "Cookie: a=b; c=d", "Via: 1.1 x", "X-Real-IP: 10.0.0.1"].map(
    (text) => ({ text }),
  ),
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
  ...["X-Forwarded-For: 10.0.0.1", "x-forwarded-for:", "FORWARDED: for=10.0.0.1", "Forwarded:"].map((text) => ({
    text,
    refused: [400],
  })),
];
