import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bundle } from "./bundle.ts";
import { toNotices, toSbom } from "./component.ts";

/**
 * The program, and the parts of the AWS SDK that it loads when a command needs them. Each file has its own copy of each
 * class, so `instanceof` knows only an error that was thrown in the same file.
 */
const PROGRAM = "cli.cjs";
const ENTRY_POINTS = {
  cli: "scripts/cli/main.ts",
  "aws-chain": "scripts/cli/aws-chain.ts",
  "aws-identity": "scripts/cli/doctor/aws-identity.ts",
  "aws-sdk": "extension/aws/sdk.ts",
  "aws-ssm": "extension/aws/sdk-ssm.ts",
};

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
