/** What `npm run simulate` is to do: arguments in, wishes or a refusal out. Pure. */
import { parseArgs } from "node:util";
import { Refusal, toRefusal } from "./refusal.ts";
import { type Scenario, scenarios } from "./scenarios.ts";

const names = scenarios.map(({ name }) => name);

export const HELP = `Simulates a fleet of execution environments, by a virtual clock, on the extension's own code.

  npm run simulate -- [--environments 20000] [--scenario ${names.join("|")}] [--seed 1] [--plot simulation.svg]

  --environments  how large the fleet is; some scenarios take a part of it, and say how many
  --scenario      one or more of ${names.join(", ")}: comma separated, or given several times; default: all
  --seed          a whole number; the same seed gives the same figures
  --plot          where the plot is written, as SVG
  --help          this text

Prints, for each scenario, the calls to STS and Secrets Manager; beside them those of a function that calls AssumeRole and
GetSecretValue in every invocation, and AWS's default quotas. Ends with 2 for wrong arguments.`;

export interface Wishes {
  readonly environments: number;
  readonly seed: number;
  readonly scenarios: readonly Scenario[];
  readonly plot: string;
}

/** What fits into the memory of a common machine. */
const MOST_ENVIRONMENTS = 200_000;

export function parseArguments(args: readonly string[]): Wishes | "help" {
  const values = parseOptions(args);
  if (values.help === true) return "help";
  const wanted = (values.scenario ?? names).flatMap((value) => value.split(",")).map((name) => name.trim());
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new Refusal(`there is no scenario ${JSON.stringify(unknown)}; expected ${names.join(", ")}`);
  }
  const plot = values.plot ?? "simulation.svg";
  if (plot === "") throw new Refusal("--plot names no file");
  return {
    environments: toNumber("--environments", values.environments ?? "20000", 1, MOST_ENVIRONMENTS),
    seed: toNumber("--seed", values.seed ?? "1", 0, 2 ** 32 - 1),
    scenarios: scenarios.filter(({ name }) => wanted.includes(name)),
    plot,
  };
}

function toNumber(option: string, text: string, least: number, most: number): number {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new Refusal(`${option} must be a whole number from ${least} to ${most}; got ${JSON.stringify(text)}`);
}

function parseOptions(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        environments: { type: "string" },
        scenario: { type: "string", multiple: true },
        seed: { type: "string" },
        plot: { type: "string" },
        help: { type: "boolean" },
      },
    }).values;
  } catch (error) {
    throw toRefusal(error as Error);
  }
}
