import { describe, expect, it, vi } from "vitest";
import { type Commands, dispatch } from "../../../scripts/cli/dispatch.ts";
import { parseOptions, toSuggestion } from "../../../scripts/cli/options.ts";
import { CommandError, type CommandWorld, toPaint } from "../../../scripts/cli/world.ts";

const CANARY = "CANARY-in-a-message";

async function call(args: readonly string[], run = vi.fn(async () => 0)) {
  const written = { stdout: "", stderr: "" };
  const world: CommandWorld = {
    environment: {},
    stdout(text) {
      written.stdout += text;
    },
    stderr(text) {
      written.stderr += text;
    },
    isTerminal: false,
    paint: (_, text) => text,
    now: () => 0,
  };
  const load = vi.fn(async () => ({ run }));
  const commands: Commands = {
    doctor: { summary: "says why a secret cannot be read", load },
    serve: { summary: "serves secrets", load },
  };
  const exitCode = await dispatch(args, { commands, version: "1.2.3", world });
  return { exitCode, ...written, load, run, world };
}

describe("the command line", () => {
  it.each([[["--help"]], [["-h"]], [["help"]]])("%j lists all commands and loads none", async (args) => {
    const { exitCode, stdout, stderr, load } = await call(args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(/^ {2}doctor {2}says why a secret cannot be read$/m);
    expect(stdout).toMatch(/^ {2}serve {3}serves secrets$/m);
    expect(load).not.toHaveBeenCalled();
  });

  it.each([[["--version"]], [["-v"]]])("%j prints the version and nothing else", async (args) => {
    expect(await call(args)).toMatchObject({ exitCode: 0, stdout: "1.2.3\n", stderr: "" });
  });

  it("without a command is a mistake and prints the help", async () => {
    const { exitCode, stdout, stderr } = await call([]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch("serves secrets");
  });

  it("passes the other arguments to the command and returns its exit code", async () => {
    const { exitCode, run, world } = await call(
      ["serve", "--region", "eu-west-1"],
      vi.fn(async () => 7),
    );
    expect(exitCode).toBe(7);
    expect(run).toHaveBeenCalledWith(["--region", "eu-west-1"], world);
  });

  it("treats `help serve` as `serve --help`", async () => {
    const { run, world } = await call(["help", "serve"]);
    expect(run).toHaveBeenCalledWith(["--help"], world);
  });

  it.each([
    [["doctr"], 'no command is called "doctr"; did you mean doctor?'],
    [["Serve"], 'no command is called "Serve"; did you mean serve?'],
    [["help", "sevre"], 'no command is called "sevre"; did you mean serve?'],
    [["deploy"], 'no command is called "deploy"; there are doctor, serve'],
    [["constructor"], 'no command is called "constructor"; there are doctor, serve'],
    [["--hepl"], "there is no option --hepl; did you mean --help?"],
    [["--verbose"], "there is no option --verbose; there are --help, --version"],
  ])("%j is refused", async (args, message) => {
    const { load, ...answer } = await call(args);
    expect(answer).toMatchObject({ exitCode: 2, stdout: "", stderr: `cross-account-secrets: ${message}\n` });
    expect(load).not.toHaveBeenCalled();
  });

  it("prints the error of a command after the command's name", async () => {
    const run = vi.fn(async () => Promise.reject(new CommandError(3, "the port is taken")));
    const { exitCode, stderr } = await call(["serve"], run);
    expect({ exitCode, stderr }).toEqual({ exitCode: 3, stderr: "cross-account-secrets serve: the port is taken\n" });
  });

  it("reports any other error as a bug, without its message", async () => {
    const { exitCode, stderr } = await call(
      ["serve"],
      vi.fn(async () => Promise.reject(new TypeError(CANARY))),
    );
    expect(exitCode).toBe(70);
    expect(stderr).toMatch(/unexpected TypeError: this is a bug/);
    expect(stderr).not.toContain(CANARY);
  });
});

describe("options", () => {
  const parse = (...args: string[]) =>
    parseOptions(args, { region: { type: "string" }, json: { type: "boolean" } }).values;

  it("are parsed", () => {
    expect(parse("--region", "eu-west-1", "--json")).toEqual({ region: "eu-west-1", json: true });
  });

  it.each([
    [["--regoin", "x"], "unknown option '--regoin'; did you mean --region?"],
    [["--profile", "x"], "unknown option '--profile'; --help lists the options"],
    [["-x"], "unknown option '-x'; --help lists the options"],
    [["--region"], "option '--region <value>' argument missing; --help lists the options"],
    [["--json=yes"], "option '--json' does not take an argument; --help lists the options"],
    [["eu-west-1"], "unexpected argument 'eu-west-1'; --help lists the options"],
  ])("%j are refused", (args, message) => {
    expect(() => parse(...args)).toThrow(expect.objectContaining({ exitCode: 2, message }));
  });
});

describe("a suggestion", () => {
  it.each([
    ["polices", "policies"],
    ["srve", "serve"],
    ["SERVE", "serve"],
  ])("for %j is %j", (word, meant) => {
    expect(toSuggestion(word, ["doctor", "policies", "serve"])).toBe(`; did you mean ${meant}?`);
  });

  it.each(["", "x", "server-side", "policy-doctor"])("is not made for %j, which is too different", (word) => {
    expect(toSuggestion(word, ["doctor", "policies", "serve"])).toBe("");
  });

  it("is the nearest word, not the first one that is near enough", () => {
    expect(toSuggestion("--regio", ["--reason", "--region"])).toBe("; did you mean --region?");
  });
});

describe("colours", () => {
  it("are used on a terminal", () => {
    expect(toPaint(true, {})("red", "text")).toBe("\u001b[31mtext\u001b[39m");
  });

  it.each<[string, boolean, Record<string, string>]>([
    ["a file", false, {}],
    ["a terminal with NO_COLOR", true, { NO_COLOR: "1" }],
    ["a terminal without colours", true, { TERM: "dumb" }],
  ])("are not used for %s", (_, isTerminal, environment) => {
    expect(toPaint(isTerminal, environment)("red", "text")).toBe("text");
  });
});
