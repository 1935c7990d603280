/** `/secrets/<id>?key=<field>`: the field is found wherever a person would say that it is there, or the answer says why not. */
import { ANY_SECRET, type ExpectedAnswer, refused, shareBench } from "../support/conformance.ts";
import { addSecrets, answers, type Placeholders } from "../support/conformance-secrets.ts";
import { REGION } from "../support/two-accounts.ts";

let names: Placeholders = new Map();
const bench = shareBench({
  environment: ANY_SECRET,
  prepare(accounts) {
    const [first = ""] = accounts.canaries;
    const place = { account: "111111111111", region: REGION };
    const json = JSON.stringify({ password: first, list: [{ a: first }], "/app/host": first, Host: first, text: "{}" });
    names = addSecrets(accounts);
    for (const [name, secretString] of Object.entries({
      json,
      mark: `\uFEFF${json}`,
      spaces: `\u00A0\r\n${json}\n\u00A0`,
      invisible: `\u200B${json}`,
      twice: JSON.stringify(json),
      plain: `password=${first}`,
    })) {
      accounts.aws.createSecret({ ...place, name, secretString });
    }
    accounts.aws.createSecret({ ...place, name: "file", secretBinary: Buffer.from(`\uFEFF${json}`) });
    accounts.aws.createSecret({ ...place, name: "wide", secretBinary: Buffer.from(`\uFEFF${json}`, "utf16le") });
  },
});

function row(name: string, secretId: string, key: string, expected: ExpectedAnswer): void {
  const asked = [{ target: `/secrets/${secretId}?key=${encodeURIComponent(key)}` }];
  answers(bench, () => names, { group: "fields", name, asked, expected });
}

const field: ExpectedAnswer = { status: 200, text: "{value 1}" };
const notJson = (tells: string) => refused(400, "ValidationException", tells);
const missing = (tells: string) => refused(404, "ResourceNotFoundException", tells);

row("a name", "json", "password", field);
row("a JSON Pointer", "json", "/list/0/a", field);
row("a JSON Pointer of one step", "json", "/password", field);
row("a name that begins with a slash", "json", "/app/host", field);
row("JSON behind a byte order mark", "mark", "password", field);
row("JSON between white space of any kind", "spaces", "password", field);
row("JSON in UTF-8 in a binary secret, with a byte order mark", "file", "password", field);
row("JSON in UTF-16 in a binary secret", "wide", "password", notJson("a JSON object or array, which wide is not"));
row("JSON behind another invisible character", "invisible", "password", notJson("begins with an invisible character"));
row("JSON that was encoded twice", "twice", "password", notJson("JSON in a JSON string, encoded twice"));
row("a text", "plain", "password", notJson("a JSON object or array, which plain is not"));
row("a name in another case", "json", "host", missing('no field "host": a name differs only in case'));
row("a step into a text", "json", "/text/a", missing('no field "/text/a": the part before it is a text'));
row("no such field", "json", "none", missing('no field "none"'));
row("an empty key: strict, on a route of ours", "json", "", notJson("key must name a field"));

for (const [name, query] of [
  ["withDecryption=true", "withDecryption=true"],
  ["versionId empty", "versionId="],
  ["an unknown parameter", "x=y"],
] as const) {
  const asked = [{ target: `/secrets/json?${query}` }];
  const expected = notJson(query === "versionId=" ? "versionId must be" : "unknown parameter");
  answers(bench, () => names, { group: "fields", name: `${name}: strict, on a route of ours`, asked, expected });
}
answers(bench, () => names, {
  group: "fields",
  name: "two leading slashes: strict, on a route of ours",
  asked: [{ target: "//secrets/json" }, { target: "//stats" }],
  expected: refused(404, "UnknownOperationException"),
});
