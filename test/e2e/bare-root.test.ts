/** The self-contained layer in an otherwise empty root: no shell, no library, no command. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { unavailable } from "./support/availability.ts";
import { SECRETS_MANAGER, STS, startBareRoot } from "./support/bare-root.ts";

const obstacle =
  unavailable ?? (process.arch === "x64" ? undefined : `the layer is for x86_64, this is ${process.arch}`);

describe.skipIf(obstacle)(
  "the x86_64 layer in a root with only /opt, /tmp, /proc, /dev/null and /etc/resolv.conf",
  () => {
    it("registers, and serves a secret that it fetches over HTTPS from host names that a DNS server resolves", async () => {
      const bench = await startBareRoot({ layer: "x86_64" });
      await bench.lambda.init();
      const root = `/proc/${bench.lambda.extensionPid}/root`;
      const found = ["", "dev", "etc"].map((folder) => readdirSync(join(root, folder)).sort().join(" "));
      expect(found).toEqual(["dev etc opt proc tmp", "null", "resolv.conf"]);
      const answer = await bench.askForSecret();
      expect(answer.status).toBe(200);
      expect(bench.canaries.every((canary) => answer.body.includes(canary))).toBe(true);
      expect(new Set(bench.nameServer.asked)).toEqual(new Set([STS, SECRETS_MANAGER]));
      expect([bench.aws.count("AssumeRole"), bench.aws.count("GetSecretValue")]).toEqual([1, 1]);
      expect((await bench.lambda.shutdown()).exitCode).toBe(0);
      // Only its own lines: no error of a loader, no warning of Node.js.
      expect(bench.lambda.logs.filter(({ line }) => !line.startsWith('{"time":'))).toEqual([]);
    });

    it("trusts the certificate only because of NODE_EXTRA_CA_CERTS", async () => {
      const bench = await startBareRoot({ layer: "x86_64", environment: { NODE_EXTRA_CA_CERTS: undefined } });
      await bench.lambda.init();
      expect((await bench.askForSecret()).status).toBe(503);
      expect(bench.aws.calls).toEqual([]);
    });

    it("answers 503 and continues to run if the DNS server does not know the host name", async () => {
      const environment = { AWS_ENDPOINT_URL_STS: "https://nowhere.amazonaws.test" };
      const bench = await startBareRoot({ layer: "x86_64", environment });
      await bench.lambda.init();
      expect((await bench.askForSecret()).status).toBe(503);
      expect(bench.nameServer.asked).toContain("nowhere.amazonaws.test");
      expect((await bench.lambda.shutdown()).exitCode).toBe(0);
    });
  },
);
