import { describe, expect, it } from "vitest";
import { createExtension } from "../../../../extension/extension.ts";
import { createFakeSdk } from "../../../../scripts/cli/serve/fake.ts";
import { type ConfigOverrides, createConfig } from "../../../support/config.ts";
import { failureOf } from "../../../support/failure-of.ts";
import { createLog } from "../../../support/log.ts";
import { toPartialArn } from "../../../support/values.ts";

const PREFIX = toPartialArn("");
const deadlineEpochMs = Date.now() + 5_000;

/** A source as `serve` wires it, with the fake in place of the SDK. */
function setUp(content: object, overrides: ConfigOverrides = {}) {
  let text = JSON.stringify(content);
  const fake = createFakeSdk({ path: "s.json", readFile: () => text, now: Date.now });
  const config = createConfig(overrides);
  const { logger } = createLog();
  const { readers } = createExtension({
    ...fake,
    config,
    logger,
    version: "0",
    baseCredentials: { mayChange: false, get: async () => ({ accessKeyId: "a", secretAccessKey: "s" }) },
    now: Date.now,
    monotonicNow: Date.now,
    random: Math.random,
    write() {},
    readFile: () => "",
  });
  const [{ secrets, parameters }] = readers();
  return {
    write(changed: string) {
      text = changed;
    },
    secret: async (secretId: string, query = {}) =>
      (await secrets.get({ secretId, ...query }, { deadlineEpochMs, refreshNow: true })).value,
    parameter: async (parameterId: string, query = {}) =>
      (await parameters.get({ parameterId, withDecryption: true, ...query }, { deadlineEpochMs })).value,
  };
}

describe("a secret in the fake's file", () => {
  it("is a text unchanged, and any other value as JSON", async () => {
    const { secret } = setUp({ text: "t", object: { a: 1 }, list: [1], number: 7 });
    const texts = await Promise.all(
      ["text", "object", "list", "number"].map(async (id) => (await secret(id)).secretString),
    );
    expect(texts).toEqual(["t", '{"a":1}', "[1]", "7"]);
  });

  it("has an ARN in the role's partition and account and in the source's region", async () => {
    const arnOf = async (overrides: ConfigOverrides) => (await setUp({ s: "v" }, overrides).secret("s")).arn;
    expect(await arnOf({})).toBe(`${PREFIX}s-FaKe00`);
    expect(await arnOf({ source: { roleArn: "arn:aws-cn:iam::333333333333:role/r", region: "cn-north-1" } })).toBe(
      "arn:aws-cn:secretsmanager:cn-north-1:333333333333:secret:s-FaKe00",
    );
  });

  it.each([
    ["its name", "app/db", `${PREFIX}app/db-FaKe00`],
    ["its ARN", `${PREFIX}app/db-AbCdEf`, `${PREFIX}app/db-AbCdEf`],
    ["its ARN without AWS's six characters", `${PREFIX}app/db`, `${PREFIX}app/db-FaKe00`],
    ["an ARN whose name ends as if it had them", `${PREFIX}my-secret`, `${PREFIX}my-secret-FaKe00`],
  ])("is found by %s", async (_, id, arn) => {
    const { secret } = setUp({ "app/db": "v", "my-secret": "v" });
    expect(await secret(id)).toMatchObject({ secretString: "v", arn });
  });

  it.each([
    ["that ARN", `${PREFIX}app/db-AbCdEf`, `${PREFIX}app/db-AbCdEf`, "app/db", `${PREFIX}app/db-AbCdEf`],
    ["its name", `${PREFIX}app/db-AbCdEf`, "app/db", "app/db", `${PREFIX}app/db-AbCdEf`],
    [
      "the ARN without the six characters",
      `${PREFIX}app/db-AbCdEf`,
      `${PREFIX}app/db`,
      "app/db",
      `${PREFIX}app/db-AbCdEf`,
    ],
    ["the ARN that it shortens", `${PREFIX}app/db`, `${PREFIX}app/db-AbCdEf`, "app/db", `${PREFIX}app/db-AbCdEf`],
    ["itself without the six characters", `${PREFIX}app/db`, `${PREFIX}app/db`, "app/db", `${PREFIX}app/db-FaKe00`],
  ])("that is listed by an ARN is found by %s", async (_, key, id, name, arn) => {
    expect(await setUp({ [key]: "v" }).secret(id)).toMatchObject({ secretString: "v", name, arn });
  });

  it("that is listed by an ARN is not found by an ARN of another account or region", async () => {
    const { secret } = setUp({ [`${PREFIX}app/db-AbCdEf`]: "v" });
    for (const id of [PREFIX.replace("111111111111", "333333333333"), PREFIX.replace("eu-west-1", "us-east-1")]) {
      expect(await failureOf(secret(`${id}app/db-AbCdEf`))).toMatchObject({ code: "secret-not-found" });
    }
  });

  it("is found by its whole name, and not by what may be the beginning of it", async () => {
    const { secret } = setUp({ "app/db": "short", "app/db-AbCdEf": "long" });
    expect((await secret(`${PREFIX}app/db-AbCdEf`)).secretString).toBe("long");
    expect((await secret("app/db")).secretString).toBe("short");
  });

  it("is found in a file with a byte order mark", async () => {
    const { secret, write } = setUp({ s: "old" });
    write(`\uFEFF${JSON.stringify({ s: "new" })}\r\n`);
    expect((await secret("s")).secretString).toBe("new");
  });

  it("has a new version with a new value, and only that version", async () => {
    const { secret, write } = setUp({ s: "old" });
    const { versionId } = await secret("s");
    expect(versionId).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect((await secret("s", { versionId, versionStage: "AWSCURRENT" })).secretString).toBe("old");
    write(JSON.stringify({ s: "new" }));
    expect((await secret("s")).versionId).not.toBe(versionId);
    expect(await failureOf(secret("s", { versionId }))).toMatchObject({ code: "secret-not-found" });
    expect(await failureOf(secret("s", { versionStage: "AWSPREVIOUS" }))).toMatchObject({ code: "secret-not-found" });
  });

  it.each(["none", `${PREFIX}none-AbCdEf`, "constructor", "__proto__"])(
    "does not exist under the name %s",
    async (id) => {
      expect(await failureOf(setUp({ s: "v" }).secret(id))).toMatchObject({ code: "secret-not-found" });
    },
  );

  it("is an error without the file's text if the file has become invalid", async () => {
    const { secret, write } = setUp({ s: "v" });
    write("{ CANARY");
    const failure = await failureOf(secret("s"));
    expect(failure).toMatchObject({
      code: "aws-error",
      message: expect.stringContaining("--fake s.json is not a JSON object"),
    });
    expect(`${failure}`).not.toContain("CANARY");
  });
});

describe("a parameter in the fake's file", () => {
  it.each([
    ["/app/host", "/app/host", "arn:aws:ssm:eu-west-1:111111111111:parameter/app/host"],
    ["arn:aws:ssm:eu-west-1:111111111111:parameter/app/host", "/app/host", undefined],
    ["flag", "flag", "arn:aws:ssm:eu-west-1:111111111111:parameter/flag"],
    ["arn:aws:ssm:eu-west-1:111111111111:parameter/flag", "flag", undefined],
  ])("is found by %s", async (id, name, arn = id) => {
    const { parameter } = setUp({ "/app/host": "v", flag: "v" });
    expect(await parameter(id)).toMatchObject({ name, arn, value: "v", versionId: "1" });
  });

  it.each(["/app/host", "flag"])("that is listed by its ARN is found by name and ARN: %s", async (name) => {
    const arn = `arn:aws:ssm:eu-west-1:111111111111:parameter/${name.replace(/^\//, "")}`;
    const { parameter } = setUp({ [arn]: "v" });
    for (const id of [name, arn]) expect(await parameter(id)).toMatchObject({ arn, value: "v" });
  });

  it("has one version", async () => {
    const { parameter } = setUp({ "/p": "v" });
    expect(await parameter("/p", { selector: "1" })).toMatchObject({ value: "v", selector: ":1" });
    expect(await failureOf(parameter("/p", { selector: "2" }))).toMatchObject({ code: "parameter-not-found" });
    expect(await failureOf(parameter("/q"))).toMatchObject({ code: "parameter-not-found" });
  });
});
