/** The report of a run, as text. Pure. */
import { formatNumber, toTableLines } from "../support/text-table.ts";
import { type Operation, quotas } from "./aws.ts";
import type { SimulationResult } from "./run.ts";
import { operations, outcomes, type Tally, toGuideCalls, toPeak, toTotal } from "./tally.ts";

/** Explains the columns. */
export const LEGEND = `layer   calls of the layer's code, with those that are throttled
guide   calls of the code in common guides: AssumeRole and GetSecretValue in every invocation, no cache, no second try
quota   AWS's default quota for an account and region; calls above it are throttled; a burst may use the quota of one second
        AssumeRole ${formatNumber(quotas.AssumeRole)}/s, shared with other STS calls, in the account that calls
          https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
        GetSecretValue ${formatNumber(quotas.GetSecretValue)}/s, shared with DescribeSecret, in the account of the target role
          https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
peak    calls within one second of the clock`;

const COLUMNS = [
  {},
  {},
  ...["layer", "guide", "guide/layer", "quota", "layer/quota"].map((title) => ({ title, isRightAligned: true })),
];

export function toReport({ title, tally, findings }: SimulationResult): string {
  const reads = toTotal(tally.invocations);
  const shares = outcomes.map((outcome) => {
    const total = toTotal(tally.reads[outcome]);
    return `${formatNumber(total)} ${outcome} (${toPercent(total, reads)})`;
  });
  const rows = operations.flatMap((operation) => toRows(operation, tally));
  return [
    title,
    "",
    ...toTableLines(COLUMNS, rows, { indent: "  " }),
    `  reads: ${shares.join(", ")}`,
    ...findings.map((finding) => `  - ${finding}`),
  ].join("\n");
}

function toRows(operation: Operation, tally: Tally): string[][] {
  const { durationS, calls, throttled } = tally;
  const [ours, guides] = [calls[operation], toGuideCalls(tally)[operation]];
  const quota = quotas[operation];
  const toRow = (label: string, ofLayer: number, ofGuide: number) => [
    label,
    formatNumber(ofLayer),
    formatNumber(ofGuide),
    toRatio(ofGuide, ofLayer),
  ];
  const toRowWithQuota = (label: string, ofLayer: number, ofGuide: number) => [
    ...toRow(label, ofLayer, ofGuide),
    formatNumber(quota),
    toPercent(ofLayer, quota),
  ];
  const [total, guideTotal] = [toTotal(ours), toTotal(guides)];
  return [
    [operation, ...toRowWithQuota("peak/s", toPeak(ours), toPeak(guides))],
    ["", ...toRowWithQuota("mean/s", total / durationS, guideTotal / durationS)],
    ["", ...toRow("total", total, guideTotal)],
    ...(throttled[operation] > 0 ? [["", "throttled", formatNumber(throttled[operation])]] : []),
  ];
}

const toRatio = (a: number, b: number): string => (b === 0 ? "-" : `${formatNumber(a / b)}x`);
const toPercent = (part: number, whole: number): string =>
  whole === 0 ? "-" : `${formatNumber((100 * part) / whole)} %`;
