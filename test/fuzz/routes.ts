/** The routes and their ids. A new route or id needs a new line here, and a new parameter one in request-parts.ts. */
import { REGION, SECRET_NAME } from "../support/two-accounts.ts";
import { DELETED, DENIED, type LayerUnderTest, OTHER_REGION, PAIR, PARAMETER_NAME } from "./layer.ts";
import type { RequestPart } from "./request-parts.ts";

export interface FuzzRoute {
  readonly method: "GET" | "POST";
  /** Another method with the same answer. */
  readonly otherMethod?: "HEAD";
  /** The path before and after the id; the whole path, if there is no id in it. */
  readonly path: readonly [string, string?];
  /** The query parameter that holds the id, if the path does not. */
  readonly idParameter?: string;
  readonly ids: (layer: LayerUnderTest) => readonly RequestPart[];
  /** The query parameters that the route knows, and the one that it requires. */
  readonly parameters: readonly string[];
  readonly required?: string;
  readonly needsToken: boolean;
  /** Whether AWS's systems have the route: an unknown parameter is ignored, and an empty one counts as unset. */
  readonly isLenient?: boolean;
  readonly answer: RequestPart & { readonly status: 200 | 204 };
}

const NONE = () => [];
const COMMON = ["versionId", "versionStage", "refreshNow", "roleArn"];
const given = { needsToken: true, answer: { text: "", status: 200 } } as const;
const refused = (...paths: readonly string[]): readonly FuzzRoute[] =>
  paths.map((path) => ({
    ...given,
    method: "GET",
    path: [path],
    ids: NONE,
    parameters: COMMON,
    answer: { ...given.answer, refused: [400, 403, 404] },
  }));

export const routes: readonly FuzzRoute[] = [
  ...["/secretsmanager/get", "/secretsmanager/get/", "//secretsmanager/get"].map(
    (path): FuzzRoute => ({
      ...given,
      isLenient: true,
      method: "GET",
      path: [path],
      idParameter: "secretId",
      ids: (layer) => secretIds(layer),
      parameters: COMMON,
    }),
  ),
  ...["/systemsmanager/parameters/get", "/systemsmanager/parameters/get/", "//systemsmanager/parameters/get"].map(
    (path): FuzzRoute => ({
      ...given,
      isLenient: true,
      method: "GET",
      path: [path],
      idParameter: "name",
      ids: parameterIds,
      parameters: ["version", "label", "withDecryption", "refreshNow", "roleArn"],
    }),
  ),
  ...["/v1/", "//v1/"].map(
    (path): FuzzRoute => ({
      ...given,
      isLenient: true,
      method: "GET",
      path: [path],
      ids: (layer) => secretIds(layer),
      parameters: COMMON,
    }),
  ),
  { ...given, method: "GET", path: ["/secrets/"], ids: (layer) => secretIds(layer), parameters: [...COMMON, "key"] },
  {
    method: "POST",
    path: ["/secrets/", "/invalid"],
    ids: (layer) => secretIds(layer, false),
    parameters: ["versionId", "roleArn"],
    required: "versionId",
    needsToken: true,
    answer: { text: "", status: 204, maybe: [429] },
  },
  { ...given, method: "GET", path: ["/stats"], ids: NONE, parameters: [] },
  ...["/ping", "//ping"].map(
    (path): FuzzRoute => ({
      ...given,
      method: "GET",
      otherMethod: "HEAD",
      path: [path],
      ids: NONE,
      parameters: [],
      needsToken: false,
    }),
  ),
];

/** Paths of no route, or of a secret that does not exist. */
export const strangePaths = refused(
  ...[
    "/",
    "//",
    "/v1",
    "/secrets",
    "/secretsmanager",
    "/secretsmanager/get//",
    "/systemsmanager/parameters",
    "/systemsmanager/parameters/get//",
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

function parameterIds({ mode, parameterArn }: LayerUnderTest): readonly RequestPart[] {
  const all = (effect: Omit<RequestPart, "text">, ...texts: readonly string[]) =>
    texts.map((text) => ({ text, ...effect }));
  return [
    ...[1, 2, 3].flatMap(() => all({}, PARAMETER_NAME, parameterArn)),
    ...all({}, `${PARAMETER_NAME}:1`),
    ...all({ maybe: [400, 403, 404] }, `${PARAMETER_NAME}:none`, `${parameterArn}:1`),
    ...all({ refused: mode === "any" ? [400, 403, 404] : [403] }, "/absent", "absent", "../x", `${PARAMETER_NAME}/x`),
    ...all({ refused: [400] }, "", " ", `${PARAMETER_NAME} `, "é", "a\0b", "a\r\nX: y", "a*", ":", ":1", "a:b:c", "%"),
    ...all({ refused: [400] }, "p".repeat(2_049), `${PARAMETER_NAME}:`, `${PARAMETER_NAME}:${"v".repeat(101)}`),
  ];
}

/** `isAsked`: whether the route asks AWS, which then refuses a secret that does not exist. */
function secretIds({ mode, secretArn }: LayerUnderTest, isAsked = true): readonly RequestPart[] {
  const isAny = mode === "any";
  const refusedByAws = isAsked ? { refused: [400, 403, 404] } : { maybe: [400, 403, 404] };
  const arnOf = (region: string, account: string, name: string) =>
    `arn:aws:secretsmanager:${region}:${account}:secret:${name}`;
  const all = (effect: Omit<RequestPart, "text">, ...texts: readonly string[]) =>
    texts.map((text) => ({ text, ...effect }));
  const foreign = isAny ? refusedByAws : { refused: [400, 403] };
  const pair = arnOf(REGION, "111111111111", "pair-abcdef");
  return [
    // These come more often than the others, which are refused.
    ...[1, 2, 3].flatMap(() => all({}, SECRET_NAME, "text-secret", "binary/secret", secretArn)),
    // AWS may take the last six characters of a name for the random ones: https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen
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
