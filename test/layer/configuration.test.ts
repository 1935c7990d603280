import { describe, expect, it } from "vitest";
import { startBench } from "../support/bench.ts";

describe("a broken configuration", () => {
  it("is reported in full to Lambda and, with a line for each problem, to the log, and ends the process", async () => {
    const bench = await startBench({
      environment: {
        CROSS_ACCOUNT_SECRETS_ROLE_ARN: "arn:aws:iam::1:role/x",
        CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "-1",
        CROSS_ACCOUNT_SECRETS_SECRET_ID: "my-shared-secret",
        CROSS_ACCOUNT_SECRETS_TOKEN: "file:///no/such/file",
      },
    });
    const failure = await bench.lambda.init().catch((error: unknown) => error);
    const expected = [
      /^CROSS_ACCOUNT_SECRETS_ROLE_ARN must be the ARN of the target role.*; got "arn:aws:iam::1:role\/x"$/,
      /^CROSS_ACCOUNT_SECRETS_TTL_SECONDS must be a whole number of seconds, 0 to 86400; got "-1"$/,
      /^CROSS_ACCOUNT_SECRETS_SECRET_ID must be spelled CROSS_ACCOUNT_SECRETS_SECRET_IDS/,
      /^CROSS_ACCOUNT_SECRETS_TOKEN must be file:\/\/\/path of a readable file.*; got "file:\/\/\/no\/such\/file"$/,
    ];
    expect(failure).toMatchObject({
      errorType: "Extension.InitError",
      reported: { errorType: "Extension.ConfigInvalid" },
    });
    const { body } = (failure as { reported: { body: { errorMessage: string } } }).reported;
    const lines = bench.events("init-error").map(({ message }) => String(message));
    for (const rule of expected) {
      expect(lines.some((line) => rule.test(line))).toBe(true);
      expect(body.errorMessage.split("\n").some((line) => rule.test(line))).toBe(true);
    }
    expect(lines).toHaveLength(expected.length);
    expect(lines).toEqual(body.errorMessage.split("\n"));
    expect(bench.lambda.extensionPid).toBeUndefined();
    expect(bench.aws.calls).toEqual([]);
  });

  it("is reported without the value of the token, even if the token is invalid", async () => {
    const token = "pass word of the function";
    const bench = await startBench({ environment: { CROSS_ACCOUNT_SECRETS_TOKEN: token } });
    await bench.lambda.init().catch(() => undefined);
    const [line] = bench.events("init-error").map(({ message }) => String(message));
    expect(line).toMatch(/^CROSS_ACCOUNT_SECRETS_TOKEN must be/);
    expect(JSON.stringify([bench.lambda.logs, bench.lambda.journal])).not.toContain("pass word");
  });
});

describe("the environment of sam local", () => {
  // Long-term keys have no session token, and unset variables of a template are empty strings.
  const samLocal = {
    AWS_SESSION_TOKEN: "",
    AWS_SAM_LOCAL: "true",
    CROSS_ACCOUNT_SECRETS_EXTERNAL_ID: "",
    AWS_PROFILE: "",
  };

  it("works with a configured token", async () => {
    const bench = await startBench({ environment: { ...samLocal, CROSS_ACCOUNT_SECRETS_TOKEN: "my-local-token" } });
    await bench.lambda.init();
    // The fake AWS knows no long-term keys. Its refusal shows that the extension made the call.
    expect((await bench.askForSecret()).status).toBe(502);
    expect(bench.aws.count("AssumeRole")).toBeGreaterThan(0);
  });

  it("fails the init without a token, and the log says what to set", async () => {
    const bench = await startBench({ environment: samLocal });
    await expect(bench.lambda.init()).rejects.toMatchObject({ errorType: "Extension.InitError" });
    const [line] = bench.events("init-error").map(({ message }) => String(message));
    expect(line).toMatch(/^CROSS_ACCOUNT_SECRETS_TOKEN must be .*sam local/);
  });
});

describe("the function's own settings", () => {
  const hostile: Record<string, string> = {
    NODE_OPTIONS: "--require=/nope.js",
    NODE_PATH: "/nope",
    NODE_DEBUG: "net,tls,http",
    NODE_TLS_REJECT_UNAUTHORIZED: "0",
    NODE_UNIQUE_ID: "1",
    LD_LIBRARY_PATH: "/nope",
    OPENSSL_CONF: "/nope.cnf",
    SSL_CERT_FILE: "/nope.pem",
    AWS_DEFAULTS_MODE: "x",
    AWS_MAX_ATTEMPTS: "x",
    AWS_RETRY_MODE: "x",
    AWS_PROFILE: "nope",
    AWS_CONFIG_FILE: "/nope",
    HOME: "",
    LISTEN_FDS: "1",
    LAMBDA_EXTENSION_IDENTIFIER: "not-ours",
    MULTI_LINE: "one\nexport NODE_OPTIONS=x\ntwo words; $(exit 1) `exit 1` *",
    HTTPS_PROXY: "http://127.0.0.1:9",
    HTTP_PROXY: "http://127.0.0.1:9",
  };

  it.each([...Object.keys(hostile), "all of them"])("do not reach the extension: %s", async (name) => {
    const environment = name === "all of them" ? hostile : { [name]: hostile[name] };
    const bench = await startBench({ environment });
    await bench.lambda.init();
    expect((await bench.askForSecret()).status).toBe(200);
    await bench.lambda.shutdown();
    // The log has only the extension's own lines: no warning, no debug output of Node.
    expect(bench.lambda.logs.filter(({ line }) => !line.startsWith('{"time":'))).toEqual([]);
  });
});
