/** `cross-account-secrets policies`: prints the four policies that two accounts need, or checks existing ones. */
import { readFile } from "node:fs/promises";
import { CommandError, type CommandWorld, USAGE } from "../world.ts";
import { HELP, type PoliciesOptions, parseArguments } from "./arguments.ts";
import { check, type PolicyFile } from "./check/check.ts";
import { isFault, toFindingLine } from "./check/finding.ts";
import { documentNames, toDocuments, toOwner, toTitle } from "./documents.ts";
import { toCloudFormation } from "./formats/cloudformation.ts";
import { toCommands } from "./formats/commands.ts";
import { toJson, toJsonOfAll } from "./formats/json.ts";
import { toTerraform } from "./formats/terraform.ts";

const SUCCESS = 0;
const FAULTS_FOUND = 1;

export async function run(args: readonly string[], world: CommandWorld): Promise<number> {
  const options = parseArguments(args, world.environment);
  switch (options.is) {
    case "help":
      world.stdout(`${HELP}\n`);
      return SUCCESS;
    case "print":
      world.stdout(toDocumentsText(options, world));
      return SUCCESS;
    case "check": {
      const findings = check(await Promise.all(options.files.map(readPolicyFile)), options.setup);
      if (options.isJson) world.stdout(`${JSON.stringify({ findings }, undefined, 2)}\n`);
      else for (const finding of findings) world.stdout(toFindingLine(finding, world));
      return findings.some(isFault) ? FAULTS_FOUND : SUCCESS;
    }
  }
}

function toDocumentsText(
  { setup, format, accounts }: Extract<PoliciesOptions, { is: "print" }>,
  { isTerminal, paint }: CommandWorld,
): string {
  const documents = toDocuments(setup);
  const names = documentNames.filter((name) => accounts.includes(toOwner(name)));
  switch (format) {
    case "cloudformation":
      return toCloudFormation(documents, setup, accounts);
    case "terraform":
      return toTerraform(documents, setup, accounts);
    case "cli":
      return toCommands(documents, setup, accounts);
    case undefined:
      if (isTerminal) {
        return names.map((name) => `${paint("bold", toTitle(name, setup))}\n${toJson(documents[name])}\n`).join("\n");
      }
  }
  return toJsonOfAll(Object.fromEntries(names.map((name) => [name, documents[name]])));
}

async function readPolicyFile(name: string): Promise<PolicyFile> {
  try {
    return { name, text: await readFile(name, "utf8") };
  } catch (error) {
    throw new CommandError(USAGE, `${name} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
