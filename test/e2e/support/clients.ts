/**
 * Clients of AWS's own extension that others have published, as they are: their registries have them, the lock files of
 * `test/e2e/clients/` their hashes, and the functions there use each as its README shows. Nothing of them is part of the product.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { provided } from "./runtimes.ts";
import {
  findMissing,
  missingForNode,
  prepareGo,
  prepareNode,
  prepareNpm,
  prepareRust,
  type RunnableFunction,
} from "./toolchains.ts";

const folder = join(dirname(fileURLToPath(import.meta.url)), "../clients");

export interface Client {
  readonly name: string;
  readonly version: string;
  readonly language: string;
  readonly licence: string;
  readonly url: string;
  /** What has the version and the hash of the client and of all that it needs. */
  readonly lockFile: string;
  /** A command that this machine would need to have, and has not. */
  readonly missing: string | undefined;
  /** Whether it reads parameters, too. */
  readonly readsParameters: boolean;
  /** How many requests it makes for an answer of 400, which AWS's extension gives to whoever comes too early. */
  readonly triesOn400: number;
  /** What it makes of `"SecretString": null`, since it does not know of binary secrets. */
  readonly ofNoString: { readonly value: string } | { readonly error: RegExp };
  prepare(): Promise<RunnableFunction>;
}

export const clients: readonly Client[] = [
  {
    name: "secretlamb",
    version: "v0.4.0",
    language: "Go",
    licence: "MIT",
    url: "https://pkg.go.dev/github.com/winebarrel/secretlamb",
    lockFile: join(folder, "secretlamb/go.sum"),
    missing: findMissing(["go"]),
    readsParameters: true,
    triesOn400: 4,
    ofNoString: { value: "" },
    prepare: async () => ({ task: await prepareGo(join(folder, "secretlamb")), runtime: provided }),
  },
  {
    name: "aws-parameters-and-secrets-lambda",
    version: "1.0.0",
    language: "Rust",
    licence: "Apache-2.0 OR MIT",
    url: "https://docs.rs/aws-parameters-and-secrets-lambda",
    lockFile: join(folder, "aws-parameters-and-secrets-lambda/Cargo.lock"),
    missing: findMissing(["cargo"]),
    readsParameters: true,
    triesOn400: 1,
    ofNoString: { error: /invalid JSON received/ },
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
    ofNoString: { error: /^no text, but null$/ },
    prepare: async () => ({
      task: await prepareNpm(join(folder, "jaypie-aws")),
      runtime: await prepareNode("nodejs24.x", "/var/lang/bin/node"),
    }),
  },
];
