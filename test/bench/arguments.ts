/** What `npm run bench` is to do: arguments in, wishes or a refusal out. Pure. */
import { parseArgs } from "node:util";
import { Refusal, toRefusal } from "../simulate/refusal.ts";

/** In the order in which they run. */
export const sectionNames = ["size", "calls", "start", "init", "secret", "memory", "read", "share"] as const;
export type SectionName = (typeof sectionNames)[number];

export const HELP = `Measures the built layers as processes, beside the least that could do the same on the same Node.js.

  npm run bench -- [${sectionNames.join("] [")}] [--quick] [--wcp PROGRAM] [--json FILE] [--plot FILE]

  size      of each layer, and of what it runs
  calls     to AWS: of a cold start, a thousand readers, an hour
  start     from its start to its registration, and until it is ready, with an AWS that takes no time
  init      what a function's cold start takes with the layer, and without: needs Linux, root and Python
  secret    until a function has its secret: beside the guides' code, and AWS's agent; needs the same
  memory    after init, and after 100,000 reads
  read      a warm read: latency and throughput
  share     start and memory under Lambda's share of a processor: needs Linux and root

  --quick   few repetitions, for a first look
  --wcp     the program of AWS's agent, aws-workload-credentials-provider, to be measured beside the layer
  --json    where all figures are written, each repetition of them
  --plot    where the plot is written, as SVG
  --help    this text

Without names, all sections. Build the layers before: npm run build. Ends with 2 for wrong arguments.`;

export interface Wishes {
  readonly sections: readonly SectionName[];
  readonly isQuick: boolean;
  readonly agent: string | undefined;
  readonly json: string | undefined;
  readonly plot: string | undefined;
}

export function parseArguments(args: readonly string[]): Wishes | "help" {
  const { values, positionals } = parseOptions(args);
  if (values.help === true) return "help";
  const unknown = positionals.find((name) => !sectionNames.some((section) => section === name));
  if (unknown !== undefined) {
    throw new Refusal(`there is no section ${JSON.stringify(unknown)}; expected ${sectionNames.join(", ")}`);
  }
  const { json, plot, wcp: agent, quick: isQuick = false } = values;
  const nameless = Object.entries({ json, plot, wcp: agent }).find(([, file]) => file === "");
  if (nameless !== undefined) throw new Refusal(`--${nameless[0]} names no file`);
  const sections = sectionNames.filter((name) => positionals.length === 0 || positionals.includes(name));
  return { sections, isQuick, agent, json, plot };
}

function parseOptions(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        quick: { type: "boolean" },
        wcp: { type: "string" },
        json: { type: "string" },
        plot: { type: "string" },
        help: { type: "boolean" },
      },
    });
  } catch (error) {
    throw toRefusal(error as Error);
  }
}
