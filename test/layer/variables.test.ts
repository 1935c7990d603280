/** The function's variables: which of them the launchers pass on to the extension. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { toOpt } from "../../scripts/build/build.ts";
import { layerFolder } from "../../scripts/build/launchers.ts";
import { startBench } from "../support/bench.ts";
import { copyLayer } from "../support/temp-files.ts";
import { listVariablesRead } from "../support/variables-read.ts";

/** Node reads the first two, or is told. A Node on PATH may be a script. */
const READ_BY_OTHERS = ["NODE_EXTRA_CA_CERTS", "AWS_CA_BUNDLE", "PATH"];
/** Only a launcher may set these. */
const SET_BY_LAUNCHERS = ["LISTEN_FDS", "LISTEN_PID", "LAMBDA_EXTENSION_IDENTIFIER"];
const passedOn = [...new Set([...listVariablesRead(), ...READ_BY_OTHERS])]
  .filter((name) => !SET_BY_LAUNCHERS.includes(name))
  .sort();

const readSource = (name: string) => readFileSync(join(layerFolder, name), "utf8");

describe("the list of variables that are passed on", () => {
  it("has in the native launcher what the extension reads", () => {
    const [, list = ""] = /starts\[\] = \{([^}]+)\}/.exec(readSource("launcher.c")) ?? [];
    const names = [...list.matchAll(/"([^"]+)"/g)].map(([, name = ""]) =>
      name.endsWith("=") ? name.slice(0, -1) : `${name}*`,
    );
    expect(names.sort()).toEqual(passedOn);
  });

  it("has in the shell launcher what the extension reads", () => {
    const lines = [...readSource("extension.sh").matchAll(/^ {4}([A-Z_]{4}[A-Z_* |]+)\) ;;$/gm)];
    expect(lines.flatMap(([, names = ""]) => names.split(" | ")).sort()).toEqual(passedOn);
  });
});

/** Settings for libraries and programs that a function may have, and some that are mistakes for each of them. */
const hostile: Readonly<Record<string, string>> = {
  UV_THREADPOOL_SIZE: "1000",
  UV_USE_IO_URING: "1",
  GLIBC_TUNABLES: "glibc.malloc.check=3",
  MALLOC_ARENA_MAX: "1",
  MALLOC_PERTURB_: "85",
  LD_AUDIT: "",
  GCONV_PATH: "/nope",
  OPENSSL_CONF: "/nope.cnf",
  OPENSSL_MODULES: "/nope",
  OPENSSL_ia32cap: "0",
  SSL_CERT_DIR: "/nope",
  SSLKEYLOGFILE: "/tmp/keys",
  RES_OPTIONS: "timeout:30 attempts:9",
  LOCALDOMAIN: "nope.example",
  HOSTALIASES: "/nope",
  NODE_OPTIONS: "--require=/nope.js",
  NODE_COMPILE_CACHE: "/tmp",
  NODE_V8_COVERAGE: "/tmp/coverage",
  NO_COLOR: "1",
  FORCE_COLOR: "3",
  DEBUG: "*",
  TZ: "Nowhere/Nope",
  LANG: "tr_TR.UTF-8",
  LC_ALL: "tr_TR.UTF-8",
  HTTPS_PROXY: "http://127.0.0.1:9",
  AWS_PROFILE: "nope",
  AWS_CONFIG_FILE: "/nope",
  AWS_MAX_ATTEMPTS: "x",
  AWS_LAMBDA_EXEC_WRAPPER: "/opt/wrapper",
  AWS_TOKEN_: "a longer name than one on the list",
  ROLE_ARNS: "a longer name than one on the list",
  HOME: "/tmp",
  LISTEN_FDNAMES: "nope",
  DATABASE_PASSWORD: "of the function",
  ONE_LINE_IS_A_NAME: "one\nline\nhere\nIFS\nHOME\nPATH\nROLE_ARN\nx[$(exit 1)]\n'",
  // The names of the shell launcher's own variables.
  here: "/nope",
  line: "/nope",
  name: "/nope",
  node: "/nope",
  IFS: "/",
};

/** Makes a nodejs layer in which the shell launcher starts Node itself, as on a system without a native launcher. */
function copyShellLayer(): string {
  const opt = copyLayer();
  const file = join(opt, "extensions/cross-account-secrets");
  const lines = readFileSync(join(layerFolder, "extension.sh"), "utf8").split("\n");
  writeFileSync(file, lines.filter((text) => !text.includes("/launcher-")).join("\n"));
  return opt;
}

/** A shell starts the nodejs layer, so it is the shell that reads these. */
const forLoader = { LD_PRELOAD: "/nope.so", LD_DEBUG: "all", LD_TRACE_LOADED_OBJECTS: "1" };

const own = process.arch === "arm64" ? "arm64" : "x86_64";
const launchers: { name: string; toLayer: () => string; more?: Record<string, string> }[] = [
  { name: "the nodejs layer", toLayer: () => toOpt("nodejs") },
  { name: "the nodejs layer without its native launcher", toLayer: copyShellLayer },
  { name: `the ${own} layer`, toLayer: () => toOpt(own), more: forLoader },
];

describe.skipIf(!existsSync("/proc/self/environ"))("the extension", () => {
  const built = launchers.filter(({ more }) => more === undefined || existsSync(toOpt(own)));

  it.each(built)("of $name gets the variables that it reads, and no other", async ({ toLayer, more }) => {
    const given = {
      CROSS_ACCOUNT_SECRETS_SESSION_TAGS: "one=two, three=four",
      ROLE_ARN: "is ignored beside ours",
      SECRETS_MANAGER_TTL: "60",
    };
    const bench = await startBench({ opt: toLayer(), environment: { ...hostile, ...more, ...given } });
    await bench.lambda.init();
    expect((await bench.askForSecret()).status).toBe(200);

    const pid = bench.lambda.extensionPid;
    const entries = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").slice(0, -1);
    const variables = Object.fromEntries(
      entries.map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]),
    );
    const { HOME, ...passed } = variables;
    expect(HOME).toBe("/nonexistent");
    const { AWS_DEFAULT_REGION: _, ...wanted } = bench.environment;
    expect(passed).toMatchObject({ ...wanted, ...given });
    const isKnown = (name: string) =>
      passedOn.includes(name) || SET_BY_LAUNCHERS.includes(name) || name.startsWith("CROSS_ACCOUNT_SECRETS_");
    // A shell sets `_` for each command.
    expect(Object.keys(passed).filter((name) => !isKnown(name) && name !== "_")).toEqual([]);
    // The pool of four, and some of V8's.
    expect(readdirSync(`/proc/${pid}/task`).length).toBeLessThan(20);

    await bench.lambda.shutdown();
    expect(bench.lambda.logs.filter(({ line }) => !line.startsWith('{"time":'))).toEqual([]);
  });
});
