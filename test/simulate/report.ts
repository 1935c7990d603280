/** What the terminal shows of a run. Pure. */
import { type Operation, quotas } from "./aws.ts";
import { toText } from "./figures.ts";
import type { Result } from "./run.ts";
import { operations, outcomes, type Tally, toGuideCalls, toPeak, toTotal } from "./tally.ts";

/** What the columns are, once. */
export const LEGEND = `layer   calls of this repository's code, throttled ones included
guide   those of the common guide's own code: AssumeRole and GetSecretValue in every invocation, no cache, no second try
quota   AWS's default, for each account and region; what exceeds it is throttled here, with one second's worth as a burst
        AssumeRole ${toText(quotas.AssumeRole)}/s, shared with other STS calls, in the account that calls
          https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
        GetSecretValue ${toText(quotas.GetSecretValue)}/s, shared with DescribeSecret, in the account of the target role
          https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
peak    of calls within one second of the clock`;

const COLUMNS = ["layer", "guide", "guide/layer", "quota", "layer/quota"];

export function toReport({ title, tally, findings }: Result): string {
  const rows = operations.flatMap((operation) => toRows(operation, tally));
  const reads = toTotal(tally.invocations);
  const shares = outcomes.map((outcome) => {
    const total = toTotal(tally.reads[outcome]);
    return `${toText(total)} ${outcome} (${toPercent(total, reads)})`;
  });
  return [
    title,
    "",
    toLine("", "", COLUMNS),
    ...rows,
    `  reads           ${shares.join(", ")}`,
    ...findings.map((finding) => `  - ${finding}`),
  ].join("\n");
}

function toRows(operation: Operation, tally: Tally): string[] {
  const { durationS, calls, throttled } = tally;
  const [ours, guides] = [calls[operation], toGuideCalls(tally)[operation]];
  const quota = quotas[operation];
  const [peak, guidePeak] = [toPeak(ours), toPeak(guides)];
  const [total, guideTotal] = [toTotal(ours), toTotal(guides)];
  return [
    toLine(operation, "peak/s", [
      toText(peak),
      toText(guidePeak),
      toRatio(guidePeak, peak),
      toText(quota),
      toPercent(peak, quota),
    ]),
    toLine("", "mean/s", [
      toText(total / durationS),
      toText(guideTotal / durationS),
      toRatio(guideTotal, total),
      toText(quota),
      toPercent(total / durationS, quota),
    ]),
    toLine("", "total", [toText(total), toText(guideTotal), toRatio(guideTotal, total), "", ""]),
    ...(throttled[operation] > 0 ? [toLine("", "throttled", [toText(throttled[operation]), "", "", "", ""])] : []),
  ];
}

function toLine(operation: string, what: string, cells: readonly string[]): string {
  return `  ${operation.padEnd(16)}${what.padEnd(10)}${cells.map((cell) => cell.padStart(13)).join("")}`.trimEnd();
}

const toRatio = (a: number, b: number): string => (b === 0 ? "-" : `${toText(a / b)}x`);
const toPercent = (part: number, whole: number): string => (whole === 0 ? "-" : `${toText((100 * part) / whole)} %`);
