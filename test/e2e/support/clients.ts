/**
 * Published third-party clients of AWS's own extension, unchanged. They come from their registries, the lock files of
 * `test/e2e/clients/` have their hashes, and the functions there use each client as its README shows. The product contains none.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { provided } from "./runtimes.ts";
import {
  findMissingTool,
  missingForNode,
  prepareGo,
  prepareNode,
  prepareNpm,
  prepareRust,
  type RunnableFunction,
} from "./toolchains.ts";

const folder = join(dirname(fileURLToPath(import.meta.url)), "../clients");

export interface PublishedClient {
  readonly name: string;
  readonly version: string;
  readonly language: string;
  readonly licence: string;
  readonly url: string;
  /** The file with the version and the hash of the client and of its dependencies. */
  readonly lockFile: string;
  /** A command that is needed, and missing on this machine. */
  readonly missing: string | undefined;
  /** Whether it also reads parameters. */
  readonly readsParameters: boolean;
  /** How many requests it makes if the answer is 400. AWS's extension answers 400 to a request that comes too early. */
  readonly triesOn400: number;
  /** Its result for `"SecretString": null`, since it does not support binary secrets. */
  readonly nullStringResult: { readonly value: string } | { readonly error: RegExp };
  prepare(): Promise<RunnableFunction>;
}

export const clients: readonly PublishedClient[] = [
  {
    name: "secretlamb",
    version: "v0.4.0",
    language: "Go",
    licence: "MIT",
    url: "https://pkg.go.dev/github.com/winebarrel/secretlamb",
    lockFile: join(folder, "secretlamb/go.sum"),
    missing: findMissingTool(["go"]),
    readsParameters: true,
    triesOn400: 4,
    nullStringResult: { value: "" },
    prepare: async () => ({ task: await prepareGo(join(folder, "secretlamb")), runtime: provided }),
  },
  {
    name: "aws-parameters-and-secrets-lambda",
    version: "1.0.0",
    language: "Rust",
    licence: "Apache-2.0 OR MIT",
    url: "https://docs.rs/aws-parameters-and-secrets-lambda",
    lockFile: join(folder, "aws-parameters-and-secrets-lambda/Cargo.lock"),
    missing: findMissingTool(["cargo"]),
    readsParameters: true,
    triesOn400: 1,
    nullStringResult: { error: /invalid JSON received/ },
    prepare: async () => ({
      task: await prepareRust(join(folder, "aws-parameters-and-secrets-lambda")),
      runtime: provided,
    }),
  },
  {
    name: "@jaypie/aws",
    version: "1.1.11",
    language: "JavaScript",
    licence: "MIT",
    url: "https://www.npmjs.com/package/@jaypie/aws",
    lockFile: join(folder, "jaypie-aws/package-lock.json"),
    missing: missingForNode,
    readsParameters: false,
    triesOn400: 1,
    nullStringResult: { error: /^no text, but null$/ },
    prepare: async () => ({
      task: await prepareNpm(join(folder, "jaypie-aws")),
      runtime: await prepareNode("nodejs24.x", "/var/lang/bin/node"),
    }),
  },
];
