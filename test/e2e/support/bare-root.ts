// A layer's zip in an otherwise empty root file system (bare-root.sh), between the fake Lambda and the fake AWS:
//
//   fake Lambda ── starts ──► extension in its root ── asks ──► name server of the test
//   127.0.0.1, http                 └── https, by name, a certificate of the test ──► TLS ──► fake AWS

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { type LayerName, toOpt } from "../../../scripts/build/build.ts";
import { toZipName } from "../../../scripts/build/layers.ts";
import { type Bench, type BenchOptions, startBench } from "../../support/bench.ts";
import { REGION } from "../../support/two-accounts.ts";
import { unzip } from "../../support/unzip.ts";
import { type NameServer, startNameServer } from "./dns.ts";
import { startTlsFront } from "./tls-front.ts";

export const STS = `sts.${REGION}.amazonaws.test`;
export const SECRETS_MANAGER = `secretsmanager.${REGION}.amazonaws.test`;
/** The extension reads the certificate of the test's authority from this file. */
const AUTHORITY_FILE = "authority.pem";

export interface BareRootOptions {
  readonly layer: LayerName;
  /** The path of a statically linked qemu-user for arm64. */
  readonly emulator?: string;
  readonly initializationType?: BenchOptions["initializationType"];
  /** Further variables of the function. Undefined removes one. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

export interface BareRoot extends Bench {
  readonly nameServer: NameServer;
}

/** Prepares the root. `lambda.init()` starts the extension. It ends with the test. */
export async function startBareRoot(options: BareRootOptions): Promise<BareRoot> {
  const { layer, emulator, environment, initializationType } = options;
  const folder = mkdtempSync(join(tmpdir(), "bare-root-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const inFolder = (name: string) => join(folder, name);
  mkdirSync(inFolder("root"));
  unzip(join(dirname(toOpt(layer)), toZipName(layer)), inFolder("layer"));
  const nameServer = await startNameServer([STS, SECRETS_MANAGER]);
  onTestFinished(() => nameServer.close());

  // For the fake Lambda, this script is the extension. The script then becomes the real one.
  const script = fileURLToPath(new URL("bare-root.sh", import.meta.url));
  const isolation = emulator === undefined ? ["--mount"] : ["--user", "--map-root-user", "--mount"];
  const inside = [script, inFolder("root"), inFolder("layer"), nameServer.address, emulator ?? ""];
  const command = ["/usr/bin/unshare", ...isolation, ...inside].map((word) => `'${word}'`).join(" ");
  mkdirSync(inFolder("opt/extensions"), { recursive: true });
  const extension = inFolder("opt/extensions/cross-account-secrets");
  writeFileSync(extension, `#!/bin/sh\nexec ${command}\n`, { mode: 0o755 });

  let url = "";
  const front = await startTlsFront([STS, SECRETS_MANAGER], () => url);
  onTestFinished(() => front.close());
  const bench = await startBench({
    opt: inFolder("opt"),
    ...(initializationType === undefined ? {} : { initializationType }),
    environment: {
      AWS_ENDPOINT_URL_STS: `https://${STS}:${front.port}`,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: `https://${SECRETS_MANAGER}:${front.port}`,
      NODE_EXTRA_CA_CERTS: `/tmp/${AUTHORITY_FILE}`,
      ...environment,
    },
    prepare: ({ aws }) => {
      url = aws.url;
    },
  });
  chmodSync(bench.lambda.tempFolder, 0o1777); // as /tmp is, for Lambda's user
  writeFileSync(join(bench.lambda.tempFolder, AUTHORITY_FILE), front.authority, { mode: 0o644 });
  return Object.assign(bench, { nameServer });
}
