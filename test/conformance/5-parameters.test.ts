import {
  ANY_SECRET,
  type ExpectedAnswer,
  type RawRequest,
  refused,
  shareBench,
  TOKEN,
} from "../support/conformance.ts";
import { answers } from "../support/conformance-secrets.ts";
import { FUNCTION_ROLE_ARN, REGION, SECRET_NAME, TARGET_ROLE_ARN } from "../support/two-accounts.ts";

const place = { account: "111111111111", region: REGION };
const toArn = (name: string) => `arn:aws:ssm:${REGION}:${place.account}:parameter${name}`;
const names = new Map<string, string>();
const KEY = `arn:aws:kms:${REGION}:${place.account}:key/not-ours`;

const bench = shareBench({
  environment: ANY_SECRET,
  prepare({ aws, canaries: [first = "", second = ""], secretArn }) {
    names.set("{secret's arn}", secretArn).set("{value 1}", first).set("{value 2}", second);
    aws.createParameter({ ...place, name: "/app/db/host", value: first });
    aws.createParameter({ ...place, name: "plain", value: first });
    aws.createParameter({ ...place, name: "/app/hosts", type: "StringList", value: `${first},${second}` });
    aws.createParameter({ ...place, name: "/app/root", value: second });
    aws.createParameter({ ...place, name: "/app/foreign", type: "SecureString", value: second, kmsKey: KEY });
    const { arn } = aws.createParameter({ ...place, name: "/app/password", type: "SecureString", value: first });
    aws.putParameter(arn, second);
    aws.labelParameter(arn, 1, "Dev");
    aws.changeRole(TARGET_ROLE_ARN, {
      trusts: [FUNCTION_ROLE_ARN],
      readableSecrets: [SECRET_NAME],
      readableParameters: [
        ...["/app/db/host", "plain", "/app/hosts", "/app/foreign", "/app/password", "/app/none"],
        `/aws/reference/secretsmanager/${SECRET_NAME}`,
      ],
      usableKeys: [],
    });
  },
});

const ROUTE = "/systemsmanager/parameters/get";

function row(
  name: string,
  query: string,
  expected: ExpectedAnswer,
  how: Omit<RawRequest, "target"> = {},
  route = ROUTE,
): void {
  const asked = [{ target: `${route}?${query}`, ...how }];
  answers(bench, () => names, { group: "Parameter Store", name, asked, expected });
}

const found = (Parameter: Readonly<Record<string, unknown>>): ExpectedAnswer => ({
  status: 200,
  body: { Parameter, ResultMetadata: {} },
});
const host = found({
  Name: "/app/db/host",
  ARN: toArn("/app/db/host"),
  Type: "String",
  Value: "{value 1}",
  Selector: null,
});

row("String", "name=plain", found({ Name: "plain", Type: "String", Value: "{value 1}", DataType: "text", Version: 1 }));
row("StringList", "name=/app/hosts", found({ Type: "StringList", Value: "{value 1},{value 2}" }));
row(
  "SecureString with withDecryption=true",
  "name=/app/password&withDecryption=true",
  found({ Type: "SecureString", Value: "{value 2}", Version: 2 }),
);
for (const [what, query] of [
  ["without withDecryption", ""],
  ["with withDecryption=false", "&withDecryption=false"],
] as const) {
  const Value = { pattern: /^AQICAH[A-Za-z0-9+/]+=*$/ };
  row(`SecureString ${what}: the ciphertext`, `name=/app/password${query}`, found({ Type: "SecureString", Value }));
}
const first = { Value: "{value 1}", Version: 1 };
for (const [query, parameter] of [
  ["version=1", { ...first, Selector: ":1" }],
  ["version=2", { Value: "{value 2}", Version: 2, Selector: ":2" }],
  ["label=Dev", { ...first, Selector: ":Dev" }],
  ["version=2&label=Dev", { Value: "{value 2}", Version: 2, Selector: ":2" }],
  ["label=Dev&version=2", { ...first, Selector: ":Dev" }],
] as const) {
  const which = query.includes("&") ? `${query}: the first one counts` : query;
  row(which, `name=/app/password&${query}&withDecryption=true`, found(parameter));
}
row("name with unencoded slashes", "name=/app/db/host", host);
row("name with slashes as %2F", "name=%2Fapp%2Fdb%2Fhost", host);
row("full ARN", `name=${toArn("/app/db/host")}`, host);
row("full ARN, percent-encoded", `name=${encodeURIComponent(toArn("/app/db/host"))}`, host);
row("trailing slash on the route", "name=/app/db/host", host, {}, `${ROUTE}/`);
row("two trailing slashes", "name=/app/db/host", refused(404, "UnknownOperationException"), {}, `${ROUTE}//`);
const REFERENCE = `name=/aws/reference/secretsmanager/${SECRET_NAME}`;
row(
  "/aws/reference/secretsmanager/<id>",
  `${REFERENCE}&withDecryption=true`,
  found({
    ARN: "{secret's arn}",
    Name: `/aws/reference/secretsmanager/${SECRET_NAME}`,
    Type: "SecureString",
    DataType: null,
    Version: 0,
    Value: JSON.stringify({ username: "{value 1}", password: "{value 2}" }),
    SourceResult: { pattern: /^\{"ARN":"\{secret's arn\}","name":"my-shared-secret",.*"secretString":/ },
  }),
);
row("/aws/reference/secretsmanager/<id> without withDecryption", REFERENCE, refused(400, "InvalidParameterException"));
row("not found", "name=/app/none", refused(404, "ResourceNotFoundException", "found no such parameter"));
row("version not found", "name=/app/password&version=9", refused(404, "ResourceNotFoundException"));
row("label not found", "name=/app/password&label=Prod", refused(404, "ResourceNotFoundException"));
row("denied", "name=/app/root", refused(403, "AccessDeniedException", "was refused"));
row(
  "KMS denied",
  "name=/app/foreign&withDecryption=true",
  refused(403, "AccessDeniedException", "KMS key may not be used"),
);
row("name missing", "", refused(400, "ValidationException", "name is missing"));
row("name empty", "name=", refused(400, "ValidationException", "name is missing"));
row("name with é, percent-encoded", "name=/caf%C3%A9", refused(400, "ValidationException", "parameter's name"));
row("withDecryption=yes", "name=plain&withDecryption=yes", refused(400, "ValidationException", "withDecryption"));
row("version with a space", "name=plain&version=a%20b", refused(400, "ValidationException", "version or label"));
row("unknown parameter, or one for secrets", "name=plain&secretId=x&versionStage=y&a=b", found({ Name: "plain" }));
row(
  "empty optional parameters",
  "name=plain&version=&label=&withDecryption=&refreshNow=&roleArn=",
  found({ Name: "plain", Selector: null }),
);
row("two leading slashes", "name=plain", found({ Name: "plain" }), {}, `/${ROUTE}`);
row("name twice", "name=plain&name=plain", refused(400, "ValidationException", "more than once"));
row("roleArn configured", `name=plain&roleArn=${TARGET_ROLE_ARN}`, found({ Name: "plain" }));
row(
  "roleArn not configured",
  "name=plain&roleArn=arn:aws:iam::111111111111:role/Other",
  refused(403, "AccessDeniedException"),
);
row("refreshNow=true", "name=plain&refreshNow=true", {
  ...found({ Name: "plain" }),
  headers: { "cache-status": /fwd=miss$/ },
});
row("token missing", "name=plain", refused(403, "BadToken"), {
  headers: { [TOKEN]: undefined },
});
row(
  "POST",
  "name=plain",
  { ...refused(405, "MethodNotAllowedException"), headers: { allow: "GET" } },
  { method: "POST" },
);
