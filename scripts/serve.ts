import { parseOptions } from "./cli/options.ts";
import type { CommandWorld } from "./cli/world.ts";

const HELP = "Serves secrets on this machine, as the layer does in Lambda.";

export async function run(args: readonly string[], { stdout }: CommandWorld): Promise<number> {
  const { values } = parseOptions(args, { help: { type: "boolean" } });
  if (values.help) stdout(`${HELP}\n`);
  return 0;
}
