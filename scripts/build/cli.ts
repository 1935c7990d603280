import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bundle } from "./bundle.ts";
import { toNotices, toSbom } from "./component.ts";

/**
 * The program, and what of the AWS SDK it loads when a command needs it. These have classes of their own: what is thrown
 * there is known by `instanceof` only there.
 */
const PROGRAM = "cli.cjs";
const ENTRY_POINTS = [
  "scripts/cli/main.ts",
  "scripts/cli/aws-chain.ts",
  "scripts/cli/doctor/aws-identity.ts",
  "extension/aws/sdk.ts",
  "extension/aws/sdk-ssm.ts",
];

/** Builds what the npm package ships, all that it needs included; gives the path of the program. */
export async function buildCli(root: string): Promise<string> {
  const { files, components } = await bundle(root, ENTRY_POINTS);
  const { name, version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const folder = join(root, "dist/cli");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const [file, text] of files) {
    await writeFile(join(folder, file), text, { mode: file === PROGRAM ? 0o755 : 0o644 });
  }
  await writeFile(join(folder, "THIRD-PARTY-NOTICES"), toNotices(components));
  await writeFile(join(folder, "sbom.cdx.json"), toSbom({ name, version }, components));
  return join(folder, PROGRAM);
}
