import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { createCertificate } from "./certificate.ts";
import { startFront } from "./tcp-front.ts";
import { createTempFolder, writeTempFile } from "./temp-files.ts";

/** AWS under its own names, for what has no endpoint in a variable. */
export interface AwsNames {
  /** The variables of a function, in whose layer Node is the one on PATH. */
  readonly layer: Readonly<Record<string, string>>;
  /** The variables of a command. */
  readonly command: Readonly<Record<string, string>>;
  /** The names that were connected to, in order. */
  readonly asked: readonly string[];
}

/** Serves these names with a certificate that the program trusts, and leads them to the AWS at the URL. */
export async function startAwsNames(names: readonly string[], toUrl: () => string): Promise<AwsNames> {
  const certificate = createCertificate("AWS", names);
  const front = await startFront(toUrl, certificate);
  const folder = createTempFolder();
  const preload = join(folder, "names.cjs");
  const fixture = fileURLToPath(new URL("../fixtures/aws-names.cjs", import.meta.url));
  writeFileSync(preload, `require(${JSON.stringify(fixture)})(${new URL(front.url).port});\n`);
  writeFileSync(join(folder, "node"), `#!/bin/sh\nexec '${execPath}' --require '${preload}' "$@"\n`, { mode: 0o755 });
  const trust = { AWS_CA_BUNDLE: writeTempFile(certificate.cert) };
  return {
    layer: { ...trust, PATH: `${folder}:/usr/bin:/bin` },
    command: { ...trust, NODE_OPTIONS: `--require=${preload}` },
    asked: front.servernames,
  };
}

export const toSecretsManagerName = (region: string): string => `secretsmanager.${region}.amazonaws.com`;
