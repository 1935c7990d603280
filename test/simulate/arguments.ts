/** The arguments of `npm run simulate`. Pure. */
import { parseOptions } from "../../scripts/cli/options.ts";
import { CommandError, USAGE } from "../../scripts/cli/world.ts";
import { parseWholeNumber } from "../support/command-line.ts";
import type { SimulationOptions } from "./run.ts";
import { type Scenario, scenarios } from "./scenarios.ts";

const names = scenarios.map(({ name }) => name);

export const HELP = `Simulates a fleet of execution environments on a virtual clock, with the extension's own code.

  npm run simulate -- [--environments 20000] [--scenario ${names.join("|")}] [--seed 1]

  --environments  the size of the fleet; some scenarios take a part of it, and print how many
  --scenario      one or more of ${names.join(", ")}: separated by commas, or given several times; default: all
  --seed          a whole number; the same seed gives the same numbers
  --help          prints this text

Prints the calls to STS and Secrets Manager in each scenario. Beside them are the calls of a function that calls AssumeRole
and GetSecretValue in every invocation, and AWS's default quotas. Ends with 2 for wrong arguments.`;

/** More do not fit into the memory of a common machine. */
const MAX_ENVIRONMENTS = 200_000;

export function parseArguments(
  args: readonly string[],
): (SimulationOptions & { readonly scenarios: readonly Scenario[] }) | "help" {
  const { values } = parseOptions(args, {
    environments: { type: "string" },
    scenario: { type: "string", multiple: true },
    seed: { type: "string" },
    help: { type: "boolean" },
  });
  if (values.help === true) return "help";
  const wanted = (values.scenario ?? names).flatMap((value) => value.split(",")).map((name) => name.trim());
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new CommandError(USAGE, `there is no scenario ${JSON.stringify(unknown)}; expected ${names.join(", ")}`);
  }
  return {
    environments: parseWholeNumber("--environments", values.environments ?? "20000", 1, MAX_ENVIRONMENTS),
    seed: parseWholeNumber("--seed", values.seed ?? "1", 0, 2 ** 32 - 1),
    scenarios: scenarios.filter(({ name }) => wanted.includes(name)),
  };
}
