/** Prints the four policies that two accounts need, or checks those that they have: `cross-account-secrets policies --help`. */
import { readFile } from "node:fs/promises";
import { CommandError, type CommandWorld, USAGE } from "../world.ts";
import { parseArguments, type Wishes } from "./arguments.ts";
import { check, type File } from "./check/check.ts";
import { isFault, toLine } from "./check/finding.ts";
import { documentKinds, toDocuments, toOwner, toTitle } from "./documents.ts";
import { toCloudFormation } from "./formats/cloudformation.ts";
import { toCommands } from "./formats/commands.ts";
import { toJson, toJsonOfAll } from "./formats/json.ts";
import { toTerraform } from "./formats/terraform.ts";
import { HELP } from "./help.ts";

const CLEAN = 0;
const FAULTY = 1;

export async function run(args: readonly string[], world: CommandWorld): Promise<number> {
  const wishes = parseArguments(args, world.environment);
  switch (wishes.is) {
    case "help":
      world.stdout(`${HELP}\n`);
      return CLEAN;
    case "print":
      world.stdout(toText(wishes, world));
      return CLEAN;
    case "check": {
      const findings = check(await Promise.all(wishes.files.map(read)), wishes.setup);
      if (wishes.isJson) world.stdout(`${JSON.stringify({ findings }, undefined, 2)}\n`);
      else for (const finding of findings) world.stdout(toLine(finding, world));
      return findings.some(isFault) ? FAULTY : CLEAN;
    }
  }
}

function toText(
  { setup, format, accounts }: Extract<Wishes, { is: "print" }>,
  { isTerminal, paint }: CommandWorld,
): string {
  const documents = toDocuments(setup);
  const kinds = documentKinds.filter((kind) => accounts.includes(toOwner(kind)));
  switch (format) {
    case "cloudformation":
      return toCloudFormation(documents, setup, accounts);
    case "terraform":
      return toTerraform(documents, setup, accounts);
    case "cli":
      return toCommands(documents, setup, accounts);
    case undefined:
      if (isTerminal) {
        return kinds.map((kind) => `${paint("bold", toTitle(kind, setup))}\n${toJson(documents[kind])}\n`).join("\n");
      }
  }
  return toJsonOfAll(Object.fromEntries(kinds.map((kind) => [kind, documents[kind]])));
}

async function read(name: string): Promise<File> {
  try {
    return { name, text: await readFile(name, "utf8") };
  } catch (error) {
    throw new CommandError(USAGE, `${name} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
