/** `/secretsmanager/get` and `/v1/`: each row asks both and expects the same answer. 4-bodies.test.ts compares their bodies. */
import {
  ANY_SECRET,
  type ExpectedAnswer,
  type RawRequest,
  refused,
  shareBench,
  TOKEN,
} from "../support/conformance.ts";
import { addSecrets, answers, type Placeholders } from "../support/conformance-secrets.ts";

let names: Placeholders = new Map();
const bench = shareBench({
  environment: ANY_SECRET,
  prepare: (accounts) => {
    names = addSecrets(accounts);
  },
});

const group = "both secret routes";
const DB = "app/db";
/** The targets of the two routes: with the id in the query, and in the path. */
const EXTENSION = (id: string, query = "") => `/secretsmanager/get?secretId=${id}${query && `&${query}`}`;
const AGENT = (id: string, query = "") => `/v1/${id}${query && `?${query}`}`;

type How = Omit<RawRequest, "target"> & { readonly query?: string };

function both(name: string, id: string, { query, ...how }: How, expected: ExpectedAnswer, before = ""): void {
  const asked = [EXTENSION, AGENT].map((toTarget) => ({ ...how, target: before + toTarget(id, query) }));
  row(name, asked, expected);
}

function row(name: string, asked: RawRequest | readonly RawRequest[], expected: ExpectedAnswer): void {
  const all: readonly RawRequest[] = "target" in asked ? [asked] : asked;
  answers(bench, () => names, { group, name, asked: all, expected });
}

const invalid = (tells?: string) => refused(400, "ValidationException", tells);
const found = (body: Readonly<Record<string, unknown>>): ExpectedAnswer => ({ status: 200, body });
const current = found({ Name: DB, VersionId: "{current}", SecretString: "{value 2}" });
const notFound = refused(404, "ResourceNotFoundException");

both("by name", DB, {}, found({ ...current.body, ARN: "{arn}", VersionStages: ["AWSCURRENT"] }));
both("by ARN", "{arn}", {}, current);
both("by partial ARN", "{partial ARN}", {}, current);
both("binary", "app/key", {}, found({ Name: "app/key", SecretBinary: "{value 2 in Base64}" }));
both("versionId=<the previous>", DB, { query: "versionId={previous}" }, found({ SecretString: "{value 1}" }));
both("versionStage=AWSPREVIOUS", DB, { query: "versionStage=AWSPREVIOUS" }, found({ VersionId: "{previous}" }));
both(
  "versionStage=AWSPENDING",
  DB,
  { query: "versionStage=AWSPENDING" },
  found({ SecretString: "{value 3}", VersionStages: ["AWSPENDING"] }),
);
both(
  "versionId and versionStage that belong together",
  DB,
  { query: "versionId={pending}&versionStage=AWSPENDING" },
  found({ VersionId: "{pending}" }),
);
both(
  "versionId and versionStage that do not belong together",
  DB,
  { query: "versionId={pending}&versionStage=AWSCURRENT" },
  notFound,
);
both("versionStage that does not exist", DB, { query: "versionStage=NONE" }, notFound);
both("versionId with a space in it", DB, { query: "versionId=a%20b" }, invalid("versionId"));
for (const query of ["versionId=", "versionId=&versionStage=", "versionStage=&refreshNow=&roleArn="]) {
  both(`${query}: an empty parameter is an unset one`, DB, { query }, current);
}

for (const word of ["true", "1", "TRUE"]) {
  both(
    `refreshNow=${word}`,
    DB,
    { query: `refreshNow=${word}` },
    { ...current, headers: { "cache-status": /fwd=miss$/ } },
  );
}
for (const word of ["false", "0", "False"]) {
  both(
    `refreshNow=${word}`,
    DB,
    { query: `refreshNow=${word}` },
    { ...current, headers: { "cache-status": /; hit; ttl=/ } },
  );
}
for (const word of ["yes", "2", "tru%00e"]) {
  both(`refreshNow=${word}`, DB, { query: `refreshNow=${word}` }, invalid("refreshNow must be true, false, 1 or 0"));
}

both("no such secret", "app/none", {}, notFound);
row("no secretId at all", { target: "/secretsmanager/get" }, invalid("id is missing"));
both("id empty", "", {}, invalid("id is missing"));
both("id of 2,048 characters", "x".repeat(2_048), {}, notFound);
both("id of 2,049 characters", "x".repeat(2_049), {}, invalid("up to 2048 characters"));
both("id that makes a target of more than 10 KiB", "x".repeat(10_241), {}, refused(414, "UriTooLongException"));
both("id that makes a head of more than 16 KiB", "x".repeat(20_000), {}, refused(431, "HeadersTooLargeException"));
both("id with %2B", "a%2Bb", {}, found({ Name: "a+b" }));
row("id with + in the path, where it is a plus", { target: AGENT("a+b") }, found({ Name: "a+b" }));
row("id with + in the query, where it is a space", { target: EXTENSION("a+b") }, invalid("%2B"));
both("id with %20", "a%20b", {}, invalid("no space"));
both("id with an unencoded space", "a b", {}, invalid());
both("id with %2F", "app%2Fdb", {}, current);
both("id with %2f", "app%2fdb", {}, current);
both("id percent-encoded whole", "%61%70%70%2F%64%62", {}, current);
both("id percent-encoded twice", "app%252Fdb", {}, invalid("secret's name"));
both("id with every character that AWS allows", "x/_%2B=.@!-y", {}, found({ Name: "x/_+=.@!-y" }));
for (const [what, id] of [
  ["%zz", "a%zz"],
  ["a lone %", "a%"],
  ["invalid UTF-8, %C3%28", "%C3%28"],
] as const) {
  both(`id with ${what}`, id, {}, invalid("percent-encoded UTF-8"));
}
for (const [what, id] of [
  ["%00", "a%00b"],
  ["%0D%0A and a header", "a%0D%0AX-Evil:%201"],
  ["é, percent-encoded", "caf%C3%A9"],
  ["a digit of another script, percent-encoded", "%D9%A1"],
  ["a zero-width space, percent-encoded", "app%E2%80%8Bdb"],
  ["é, unencoded", "café"],
  ["JSON in it", "a%22,%22__type%22:%22Evil"],
] as const) {
  both(`id with ${what}`, id, {}, invalid());
}
both("id that is the ARN of another service", "arn:aws:s3:::bucket", {}, invalid("its ARN"));
for (const rest of [":password::", ":password:AWSCURRENT:", ":::{current}", ":"]) {
  both(`reference of Amazon ECS, {arn}${rest}`, `{arn}${rest}`, {}, invalid("no field, stage or version after it"));
}

// As published clients send them: https://github.com/63klabs/cache-data, class CachedSecret.
both("withDecryption=true, which is for parameters", DB, { query: "withDecryption=true" }, current);
both("withDecryption=yes twice", DB, { query: "withDecryption=yes&withDecryption=yes" }, current);
both("unknown parameter", DB, { query: "secretid=x" }, current);
both("unknown parameter without a value, twice", DB, { query: "x&x" }, current);
both("unknown parameter with JSON in its name", DB, { query: "%22%7D%2C%7B=1" }, current);
for (const [name, value] of [
  ["versionId", "{current}"],
  ["versionStage", "AWSCURRENT"],
  ["refreshNow", "false"],
] as const) {
  both(
    `${name} twice`,
    DB,
    { query: `${name}=${value}&${name}=${value}` },
    invalid(`parameter "${name}" is given more than once`),
  );
}
row("secretId twice", { target: EXTENSION(DB, `secretId=${DB}`) }, invalid('parameter "secretId" is given more'));

const badToken = refused(403, "BadToken", "missing or wrong");
both("token missing", DB, { headers: { [TOKEN]: undefined } }, badToken);
both("token empty", DB, { headers: { [TOKEN]: "" } }, badToken);
both("token wrong", DB, { headers: { [TOKEN]: "wrong" } }, badToken);
both("token wrong and id malformed: the token is checked first", "%zz", { headers: { [TOKEN]: "wrong" } }, badToken);
const VAULT = "X-Vault-Token";
both("token in X-Vault-Token", DB, { headers: { [TOKEN]: undefined, [VAULT]: "{token}" } }, current);
both("token in both headers", DB, { headers: { [VAULT]: "{token}" } }, current);
both("token in both headers, one of them wrong", DB, { headers: { [TOKEN]: "wrong", [VAULT]: "{token}" } }, current);
both("token in both headers, both wrong", DB, { headers: { [TOKEN]: "wrong", [VAULT]: "wrong" } }, badToken);
both("token in Authorization", DB, { headers: { [TOKEN]: undefined, Authorization: "Bearer {token}" } }, badToken);
both(
  "token's header in lower case",
  DB,
  { headers: { [TOKEN]: undefined, [TOKEN.toLowerCase()]: "{token}" } },
  current,
);
both("token header twice, the second one wrong", DB, { lines: [`${TOKEN}: wrong`] }, badToken);

both("Via", DB, { headers: { Via: "1.1 proxy" } }, invalid("Via"));
both("X-Forwarded-For", DB, { headers: { "X-Forwarded-For": "192.0.2.1" } }, invalid("X-Forwarded-For"));
both("X-Forwarded-For, empty", DB, { headers: { "X-Forwarded-For": "" } }, invalid("X-Forwarded-For"));
both("Forwarded", DB, { headers: { Forwarded: "for=192.0.2.1" } }, invalid("Forwarded"));
both("Host of another server", DB, { headers: { Host: "example.com" } }, invalid("Host"));
both("Host missing", DB, { headers: { Host: undefined } }, invalid("Host"));

for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]) {
  both(method, DB, { method }, { ...refused(405, "MethodNotAllowedException"), headers: { allow: "GET" } });
}
both("HEAD", DB, { method: "HEAD" }, { status: 405, text: "", headers: { allow: "GET" } });
row("CONNECT", { method: "CONNECT", target: "example.com:443" }, refused(405, "MethodNotAllowedException"));
both(
  "Upgrade: h2c, as Java's client sends it",
  DB,
  { headers: { Connection: "Upgrade, HTTP2-Settings", Upgrade: "h2c", "HTTP2-Settings": "AAEAAEAAAAIAAAAAAAMAAAAA" } },
  current,
);
both(
  "body of more than 1 KiB",
  DB,
  { headers: { "Content-Length": "1025" } },
  refused(413, "PayloadTooLargeException"),
);
both("body in chunks", DB, { headers: { "Transfer-Encoding": "chunked" } }, refused(413, "PayloadTooLargeException"));

const unknownPath = refused(404, "UnknownOperationException");
row("dot segments: /v1/../ping", { target: "/v1/../ping" }, notFound);
row("dot segments: /v1/x/../app/db", { target: "/v1/x/../app/db" }, notFound);
row("dot segments, encoded: /v1/%2e%2e/ping", { target: "/v1/%2e%2e/ping" }, notFound);
row("dot segments, encoded: /v1/..%2Fping", { target: "/v1/..%2Fping" }, notFound);
row("dot segments: /./secretsmanager/get", { target: `/.${EXTENSION(DB)}` }, unknownPath);
row("dot segments: /x/../secretsmanager/get", { target: `/x/..${EXTENSION(DB)}` }, unknownPath);
row("dot segments, encoded: /x/%2e%2e/secretsmanager/get", { target: `/x/%2e%2e${EXTENSION(DB)}` }, unknownPath);
row(
  "encoded slash in the path: /secretsmanager%2Fget",
  { target: `/secretsmanager%2Fget?secretId=${DB}` },
  unknownPath,
);
both("two leading slashes", DB, {}, current, "/");
both("three leading slashes", DB, {}, unknownPath, "//");
row("trailing slash: /secretsmanager/get/", { target: `/secretsmanager/get/?secretId=${DB}` }, current);
both("a fragment", `${DB}#x`, {}, invalid());
row(
  "absolute-form target",
  [EXTENSION(DB), AGENT(DB)].map((target) => ({ target: `http://127.0.0.1:2773${target}` })),
  invalid("must be a path"),
);
row("asterisk-form target", { target: "*" }, invalid("must be a path"));
