/** The arguments of `npm run bench`. Pure. */
import { parseOptions } from "../../scripts/cli/options.ts";
import { CommandError, USAGE } from "../../scripts/cli/world.ts";

/** In the order in which they run. */
export const sectionNames = ["size", "calls", "start", "init", "secret", "memory", "read", "share"] as const;
export type SectionName = (typeof sectionNames)[number];

export const HELP = `Measures the built layers as processes, beside the least that an extension can do on the same Node.js.

  npm run bench -- [${sectionNames.join("] [")}] [--quick] [--wcp PROGRAM] [--json FILE] [--plot FILE]

  size      the sizes of each layer, and of the programs in it
  calls     the calls to AWS of a cold start, of a thousand readers, and of an hour
  start     the time from the start to the registration, and until the extension is ready, with an AWS that takes no time
  init      the time of a function's cold start with the layer and without it: needs Linux, root and Python
  secret    the time until a function has its secret, beside the guides' code and AWS's agent: needs the same
  memory    the memory after init, and after 100,000 reads
  read      the latency and the throughput of reads from the cache
  share     start and memory with Lambda's share of a processor: needs Linux and root

  --quick   makes few repetitions, for a first look
  --wcp     the program of AWS's agent, aws-workload-credentials-provider; it is measured beside the layer
  --json    a file for all figures, with each repetition
  --plot    a file for the plot, as SVG
  --help    prints this text

Without names of sections, all of them run. Build the layers before: npm run build. Ends with 2 for wrong arguments.`;

export interface BenchmarkOptions {
  readonly sections: readonly SectionName[];
  readonly isQuick: boolean;
  readonly agent: string | undefined;
  readonly json: string | undefined;
  readonly plot: string | undefined;
}

export function parseArguments(args: readonly string[]): BenchmarkOptions | "help" {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const { values, positionals } = parseOptions(
    args,
    { quick: flag, wcp: text, json: text, plot: text, help: flag },
    true,
  );
  if (values.help === true) return "help";
  const unknown = positionals.find((name) => !sectionNames.some((section) => section === name));
  if (unknown !== undefined) {
    throw new CommandError(
      USAGE,
      `there is no section ${JSON.stringify(unknown)}; expected ${sectionNames.join(", ")}`,
    );
  }
  const { json, plot, wcp: agent, quick: isQuick = false } = values;
  const empty = Object.entries({ json, plot, wcp: agent }).find(([, file]) => file === "");
  if (empty !== undefined) throw new CommandError(USAGE, `--${empty[0]} names no file`);
  const sections = sectionNames.filter((name) => positionals.length === 0 || positionals.includes(name));
  return { sections, isQuick, agent, json, plot };
}
