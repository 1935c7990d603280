/** Post-quantum TLS: X25519MLKEM768 is offered to AWS wherever the Node.js of the layer has it, which is with OpenSSL 3.5 and newer. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { execPath, versions } from "node:process";
import { describe, expect, it } from "vitest";
import { type LayerName, toOpt } from "../../scripts/build/build.ts";
import { type Bench, startBench } from "../support/bench.ts";
import { createCertificate } from "../support/certificate.ts";
import { startHelloRecorder } from "../support/client-hello.ts";
import { startFront } from "../support/tcp-front.ts";
import { writeTempFile } from "../support/temp-files.ts";
import { IN_TARGET_ACCOUNT, SECRET_NAME, TARGET_ROLE_ARN } from "../support/two-accounts.ts";

/** https://www.iana.org/assignments/tls-parameters/tls-parameters.xhtml#tls-parameters-8 */
const X25519MLKEM768 = 0x11ec;
const X25519 = 0x1d;
const PARAMETER = "/app/host";
const ENDPOINTS = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL_SSM"];

const [major = 0, minor = 0] = versions.openssl.split(".").map(Number);
/** Whether the Node.js of this test, which runs the nodejs layer and the server, has it. */
const isInThisNode = major > 3 || (major === 3 && minor >= 5);
const carried = process.arch === "arm64" ? "arm64" : "x86_64";
const layers: readonly { layer: LayerName; isOffered: boolean }[] = [
  { layer: carried, isOffered: true },
  { layer: "nodejs", isOffered: isInThisNode },
];
const built = layers.filter(
  ({ layer }) => layer === "nodejs" || existsSync(join(toOpt(layer), "cross-account-secrets/bin/node")),
);
/** What the server accepts. */
const servers = ["X25519:P-256", ...(isInThisNode ? ["X25519MLKEM768"] : [])];
const rows = built.flatMap((row) =>
  servers.filter((groups) => row.isOffered || groups !== "X25519MLKEM768").map((groups) => ({ ...row, groups })),
);

describe(`in Node.js ${versions.node} (${execPath})`, () => {
  it.each(rows)(
    "the $layer layer offers X25519MLKEM768 to every service: $isOffered; a server with $groups is used",
    async ({ layer, isOffered, groups }) => {
      const certificate = createCertificate("aws");
      const toFront = () => startFront(() => bench.aws.url, { ...certificate, ecdhCurve: groups });
      const fronts = await Promise.all(ENDPOINTS.map(toFront));
      const recorders = await Promise.all(fronts.map(({ url }) => startHelloRecorder(() => url)));
      const bench: Bench = await startBench({
        layer,
        prepare: ({ aws, canaries: [value = ""] }) => {
          aws.createParameter({ ...IN_TARGET_ACCOUNT, name: PARAMETER, value });
          aws.changeRole(TARGET_ROLE_ARN, { readableParameters: [PARAMETER] });
        },
        environment: {
          ...Object.fromEntries(ENDPOINTS.map((name, index) => [name, recorders[index]?.url])),
          // The nodejs layer uses the first Node.js of PATH: the one that runs this test.
          PATH: dirname(execPath),
          NODE_EXTRA_CA_CERTS: writeTempFile(certificate.cert),
          CROSS_ACCOUNT_SECRETS_PARAMETER_NAMES: PARAMETER,
          CROSS_ACCOUNT_SECRETS_PREFETCH_TIMEOUT_MS: "5000",
          CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: "10000",
        },
      });
      await bench.lambda.init();
      expect((await bench.ask(`/secrets/${SECRET_NAME}`)).status).toBe(200);
      expect((await bench.ask(`/systemsmanager/parameters/get?name=${PARAMETER}&withDecryption=true`)).status).toBe(
        200,
      );
      for (const [index, { offers }] of recorders.entries()) {
        expect(offers.length, ENDPOINTS[index]).toBeGreaterThan(0);
        for (const { supported, withKey } of offers) {
          expect(supported, ENDPOINTS[index]).toContain(X25519);
          expect([supported.includes(X25519MLKEM768), withKey.includes(X25519MLKEM768)]).toEqual([
            isOffered,
            isOffered,
          ]);
        }
      }
    },
  );
});
