import type { Architecture } from "./elf.ts";

interface Layer {
  /** What it has of `layer/`: place below /opt → file. */
  readonly files: Readonly<Record<string, string>>;
  /** Of the Node and the libraries that it carries, if it does. */
  readonly carries: Architecture | undefined;
  /** Lambda's own identifiers, for `CompatibleArchitectures`. */
  readonly architectures: readonly Architecture[];
  /** For `CompatibleRuntimes`: a filter in the console and no more, of at most 15 entries. */
  readonly runtimes: readonly string[];
}

/** Fifteen of those that have no Node of their own, the oldest C library among them; others work as well. */
const anyRuntime = [
  ...["java8.al2", "java11", "java17", "java21", "java25"],
  ...["python3.11", "python3.12", "python3.13", "python3.14"],
  ...["ruby3.3", "ruby3.4", "ruby4.0", "dotnet10", "provided.al2", "provided.al2023"],
];

/** What Lambda starts. */
const LAUNCHER = "extensions/cross-account-secrets";
/** What a function names in AWS_LAMBDA_EXEC_WRAPPER. */
const EXEC_WRAPPER = "cross-account-secrets/exec-wrapper";
/** What starts the program with code that the layer's own Node has compiled. */
const start = { "cross-account-secrets/main.cjs": "start.cjs" };
/** The nodejs layer has them for both processors, and two scripts that choose. */
const nativePrograms = ["launcher-x86_64", "launcher-arm64", "exec-wrapper-x86_64", "exec-wrapper-arm64"];

export const layers = {
  /** For the nodejs runtimes, which have a Node and a shell of their own. */
  nodejs: {
    files: {
      [LAUNCHER]: "extension.sh",
      [EXEC_WRAPPER]: "exec-wrapper.sh",
      ...Object.fromEntries(nativePrograms.map((name) => [`cross-account-secrets/${name}`, name])),
    },
    carries: undefined,
    architectures: ["x86_64", "arm64"],
    runtimes: ["nodejs22.x", "nodejs24.x"],
  },
  x86_64: {
    files: { [LAUNCHER]: "launcher-x86_64", [EXEC_WRAPPER]: "exec-wrapper-x86_64", ...start },
    carries: "x86_64",
    architectures: ["x86_64"],
    runtimes: anyRuntime,
  },
  arm64: {
    files: { [LAUNCHER]: "launcher-arm64", [EXEC_WRAPPER]: "exec-wrapper-arm64", ...start },
    carries: "arm64",
    architectures: ["arm64"],
    runtimes: anyRuntime,
  },
} as const satisfies Record<string, Layer>;

export type LayerName = keyof typeof layers;
export const layerNames = Object.keys(layers) as readonly LayerName[];
