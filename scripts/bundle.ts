import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

export interface Bundle {
  /** File name → text. */
  readonly files: ReadonlyMap<string, string>;
  /** The licence of each package that went into it, ready to be shipped. */
  readonly notices: readonly string[];
}

/**
 * Two files: the program, and the AWS SDK, which the program loads after it has registered. CommonJS, because Node
 * starts it faster than ES modules, and for the oldest Node that a function may bring.
 */
export async function bundleExtension(root: string): Promise<Bundle> {
  const result = await build({
    absWorkingDir: root,
    entryPoints: ["extension/main.ts", "extension/aws-sdk.ts"],
    outdir: "out",
    // Not .js, which a package.json further up could turn into ES modules.
    outExtension: { ".js": ".cjs" },
    write: false,
    bundle: true,
    metafile: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    // Their ES modules can be trimmed, their CommonJS cannot: a third less to load.
    mainFields: ["module", "main"],
    minify: true,
    legalComments: "none",
    // `import()` of the second file has to become `require`.
    supported: { "dynamic-import": false },
    plugins: [
      {
        name: "aws-sdk-apart",
        setup: ({ onResolve }) =>
          onResolve({ filter: /\/aws-sdk\.ts$/ }, ({ kind }) =>
            kind === "dynamic-import" ? { path: "./aws-sdk.cjs", external: true } : undefined,
          ),
      },
    ],
  });
  const files = new Map(result.outputFiles.map(({ path, text }) => [path.slice(path.lastIndexOf("/") + 1), text]));
  const packages = new Set<string>();
  for (const input of Object.keys(result.metafile.inputs)) {
    const folder = /^.*node_modules\/(@[^/]+\/[^/]+|[^/]+)/.exec(input)?.[0];
    if (folder !== undefined) packages.add(folder);
  }
  const notices = await Promise.all([...packages].sort().map((folder) => readNotice(join(root, folder))));
  return { files, notices };
}

async function readNotice(folder: string): Promise<string> {
  const { name, version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const licenceFile = (await readdir(folder)).find((file) => /^licen[cs]e/i.test(file));
  const text = licenceFile === undefined ? "" : await readFile(join(folder, licenceFile), "utf8");
  return `${name} ${version} (${license})\n\n${text.trim()}\n${"-".repeat(80)}\n`;
}
