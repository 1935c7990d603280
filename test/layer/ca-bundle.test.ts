/** AWS_CA_BUNDLE: a proxy or an endpoint whose certificate is of an authority that Node does not know. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Bench, startBench } from "../support/bench.ts";
import { createCertificate } from "../support/certificate.ts";
import { startFront, type TcpFront } from "../support/tcp-front.ts";
import { copyLayer, writeTempFile } from "../support/temp-files.ts";
import { FUNCTION_ROLE_ARN, IN_TARGET_ACCOUNT, SECRET_NAME, TARGET_ROLE_ARN } from "../support/two-accounts.ts";

const [ours, theirs] = [createCertificate("ours"), createCertificate("theirs")];
const PARAMETER = "/app/host";

interface TlsBench extends Bench {
  readonly secretsManager: TcpFront;
}

/** Starts the layer. STS has one certificate, Secrets Manager and Systems Manager have another one. */
async function start(files: Readonly<Record<string, string>>, opt?: string): Promise<TlsBench> {
  let url = "";
  const sts = await startFront(() => url, ours);
  const secretsManager = await startFront(() => url, theirs);
  const bench = await startBench({
    ...(opt === undefined ? {} : { opt }),
    environment: {
      AWS_ENDPOINT_URL_STS: sts.url,
      AWS_ENDPOINT_URL: secretsManager.url,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: undefined,
      AWS_ENDPOINT_URL_SSM: undefined,
      CROSS_ACCOUNT_SECRETS_ALLOW: "any",
      ...files,
    },
    prepare({ aws, canaries: [value = ""] }) {
      ({ url } = aws);
      aws.createParameter({ ...IN_TARGET_ACCOUNT, name: PARAMETER, value });
      const trusts = [FUNCTION_ROLE_ARN];
      aws.changeRole(TARGET_ROLE_ARN, { trusts, readableSecrets: [SECRET_NAME], readableParameters: "any" });
    },
  });
  return { ...bench, secretsManager };
}

/** The nodejs layer on a system for which it has no launcher. */
function makeShellLayer(): string {
  const opt = copyLayer();
  const file = join(opt, "extensions/cross-account-secrets");
  writeFileSync(file, readFileSync(file, "utf8").replace(/^\[ -e .*$/gm, ""));
  return opt;
}

const both = () => writeTempFile(`${theirs.cert}${ours.cert}`);

describe("AWS_CA_BUNDLE", () => {
  it.each([
    ["the launcher", () => undefined],
    ["the shell script alone", makeShellLayer],
  ])(
    "is trusted for STS, Secrets Manager and Systems Manager if the extension is started by %s",
    async (_, makeOpt) => {
      const bench = await start({ AWS_CA_BUNDLE: both() }, makeOpt());
      await bench.lambda.init();
      expect((await bench.askForSecret()).status).toBe(200);
      // One connection: the one that was opened during AssumeRole was accepted.
      expect(bench.secretsManager.total()).toBe(1);
      expect((await bench.ask(`/systemsmanager/parameters/get?name=${PARAMETER}`)).status).toBe(200);
      await bench.lambda.shutdown();
      expect(bench.lambda.logs.filter(({ line }) => !line.startsWith('{"time":'))).toEqual([]);
    },
  );

  it("is trusted beside NODE_EXTRA_CA_CERTS", async () => {
    const bench = await start({
      AWS_CA_BUNDLE: writeTempFile(ours.cert),
      NODE_EXTRA_CA_CERTS: writeTempFile(theirs.cert),
    });
    await bench.lambda.init();
    expect((await bench.askForSecret()).status).toBe(200);
  });

  it("does not make other certificates trusted, and the remedy names it", async () => {
    const bench = await start({ AWS_CA_BUNDLE: writeTempFile(ours.cert) });
    await bench.lambda.init();
    const { status, body } = await bench.askForSecret();
    expect([status, JSON.parse(body).cause]).toEqual([503, "unreachable"]);
    expect(JSON.parse(body).remedy).toContain("AWS_CA_BUNDLE or NODE_EXTRA_CA_CERTS");
    expect([bench.aws.count("AssumeRole"), bench.aws.count("GetSecretValue")]).toEqual([1, 0]);
  });

  it.each([
    ["does not exist", () => "/no/such/bundle.pem"],
    ["has no certificate", () => writeTempFile("CANARY-of-another-file")],
  ])("is a mistake at the start if the file %s", async (_, toPath) => {
    const path = toPath();
    const bench = await start({ AWS_CA_BUNDLE: path });
    await expect(bench.lambda.init()).rejects.toMatchObject({ reported: { errorType: "Extension.ConfigInvalid" } });
    expect(bench.events("init-error").map(({ message }) => message)).toEqual([
      `AWS_CA_BUNDLE must be the path of a readable file with certificates in PEM; got "${path}"`,
    ]);
    expect(JSON.stringify(bench.lambda.logs)).not.toContain("CANARY");
  });
});
