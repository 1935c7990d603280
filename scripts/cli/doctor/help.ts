import { BUG, USAGE } from "../world.ts";
import { exitCodes } from "./exit-codes.ts";
import { optionTable } from "./settings.ts";
import { wrap } from "./wrap.ts";

/** What `doctor --help` says. */
export function toHelp(): string {
  const options: readonly (readonly [string, string])[] = [
    ...Object.entries(optionTable).map(
      ([name, { value, text, variable }]) => [`--${name} ${value}`, `${text} [${variable}]`] as const,
    ),
    ["--timeout-ms MS", "how long AWS may take in each step [5000]"],
    ["--json", "one JSON object: the steps, with what each found, or why not"],
  ];
  const width = Math.max(...options.map(([option]) => option.length)) + 4;
  const causes = Object.entries(exitCodes).map(([cause, code]) => `${code} ${cause},`);
  return `Walks the way from your credentials to each secret, as the layer does, and says where it ends,
why, and what to change.

  cross-account-secrets doctor --role-arn ARN --secret ID [options]

What is left out is taken from the layer's own variables, here in brackets. The region and your
credentials are those of every AWS program on this machine (AWS_PROFILE, aws sso login, an
instance's role).

${options.map(([option, text]) => wrap(text, { first: `  ${option}`.padEnd(width), indent: width })).join("\n")}

Secrets are read, and their values never shown: of a JSON object you see the names of its fields.

Exit codes: 0 all is well, ${USAGE} wrong arguments or settings, ${BUG} a bug; else the first cause:
${wrap(causes, { first: "  ", indent: 2 }).replace(/,$/, "")}`;
}
