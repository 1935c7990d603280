/** How the bench turns measurements into figures, and how it shows them. */
import { describe, expect, it } from "vitest";
import { CommandError } from "../../../scripts/cli/world.ts";
import { parseArguments, sectionNames } from "../../bench/arguments.ts";
import { type Figure, interleave, toSummary } from "../../bench/figure.ts";
import { toPlot } from "../../bench/plot.ts";
import { toSectionTable } from "../../bench/report.ts";
import { toQuantile, toRatios, toSpread } from "../../support/statistics.ts";

describe("the statistics", () => {
  it.each([
    [[7], 0.5, 7],
    [[4, 1, 3, 2], 0.5, 2.5],
    [[10, 9, 100], 0.5, 10],
    [[4, 1, 3, 2], 0, 1],
    [[4, 1, 3, 2], 1, 4],
    [[1, 2, 3, 4, 5], 0.25, 2],
    [[0, 10], 0.99, 9.9],
  ])("find in %j the %d quantile %d", (numbers, part, quantile) => {
    expect(toQuantile(numbers, part)).toBeCloseTo(quantile, 10);
  });

  it("do not sort the numbers that they are given", () => {
    const numbers = [3, 1, 2];
    expect(toSpread(numbers)).toEqual({ lower: 1.5, median: 2, upper: 2.5 });
    expect(numbers).toEqual([3, 1, 2]);
  });

  it("throw if there are no numbers", () => {
    expect(() => toQuantile([], 0.5)).toThrow("there is no quantile of no numbers");
  });

  it("compare the two numbers of each turn, so that a slower turn changes no ratio", () => {
    expect(toRatios([2, 20, 200], [1, 10, 100])).toEqual({ lower: 2, median: 2, upper: 2 });
    expect(() => toRatios([1, 2], [1])).toThrow("2 numbers beside 1");
  });
});

describe("interleaved rounds", () => {
  it("begin each with another measurement, and do not count the first round", async () => {
    const order: string[] = [];
    const measure = (name: string) => async () => order.push(name);
    const measured = await interleave(2, new Map(["a", "b", "c"].map((name) => [name, measure(name)])));
    expect(order.join("")).toBe("abcbcacab");
    expect([measured("a"), measured("b"), measured("c")]).toEqual([
      [6, 8],
      [4, 9],
      [5, 7],
    ]);
  });
});

const figures: readonly Figure[] = [
  {
    what: "start to register",
    who: "the layer",
    unit: "ms",
    numbers: [2, 2.5, 3],
    isKey: true,
    against: [
      { who: "floor", numbers: [40, 50, 60] },
      { who: "bare", numbers: [20, 25, 30] },
    ],
  },
  {
    what: "requests <1>",
    who: "the layer",
    unit: "per s",
    numbers: [900],
    isKey: true,
    against: [{ who: "limit", numbers: [1_000] }],
  },
  { what: "zip", who: "the layer", unit: "bytes", numbers: [213_376] },
];

describe("the table", () => {
  it("has a line for each pair, with medians, quartiles and the ratio", () => {
    expect(toSectionTable(figures.map(toSummary)).split("\n")).toEqual(
      [
        "                                measured              beside                        ratio",
        "  start to register  the layer  2.5 ms (2.25–2.75)    floor   50 ms (45–55)         0.05",
        "                                                      bare    25 ms (22.5–27.5)     0.1",
        "  requests <1>       the layer  900 per s             limit   1,000 per s           0.9",
        "  zip                the layer  213,376 bytes",
      ].map((line) => expect.stringMatching(toLoosePattern(line))),
    );
  });
});

/** Matches any width of the columns. */
const toLoosePattern = (line: string) => {
  const cells = line
    .trim()
    .split(/ {2,}/)
    .map((cell) => cell.replace(/[().<>]/g, "\\$&"));
  return new RegExp(`^ *${cells.join(" {2,}")}$`);
};

describe("the plot", () => {
  const plot = toPlot([{ title: "start", results: figures.map(toSummary) }], "a machine & its <Node>");

  it("shows the key figures, each beside the first that it is compared with", () => {
    expect(plot.match(/start: the layer \/ \w+/g)).toEqual(["start: the layer / floor", "start: the layer / limit"]);
    expect(plot).not.toContain("zip");
  });

  it("draws a ratio that has no logarithm at the left edge", () => {
    const nothing: Figure = {
      ...figures[0],
      what: "added",
      who: "a",
      unit: "ms",
      numbers: [-1],
      isKey: true,
      against: [{ who: "b", numbers: [2] }],
    };
    const drawn = toPlot([{ title: "init", results: [toSummary(nothing)] }], "a machine");
    expect(drawn).not.toContain("NaN");
    expect(drawn).toContain("-0.5x");
  });

  it("counts fewer requests as a loss, and a shorter time as a win", () => {
    expect(plot.match(/<circle class="\w+"/g)).toEqual(['<circle class="win"', '<circle class="loss"']);
  });

  it("is XML whatever the texts are, and draws every mark inside the image", () => {
    expect(plot).toContain("a machine &#38; its &#60;Node&#62;");
    const [, width = 0] = /viewBox="0 0 (\d+)/.exec(plot) ?? [];
    const places = [...plot.matchAll(/ (?:cx|x1|x2|x)="([^"]+)"/g)].map(([, x]) => Number(x));
    expect(places.length).toBeGreaterThan(10);
    expect(places.every((x) => x >= 0 && x <= Number(width))).toBe(true);
  });
});

describe("the arguments", () => {
  it("choose sections in any order, or all of them", () => {
    expect(parseArguments(["read", "start", "--quick", "--wcp=agent", "--json=a.json", "--plot", "b.svg"])).toEqual({
      sections: ["start", "read"],
      isQuick: true,
      agent: "agent",
      json: "a.json",
      plot: "b.svg",
    });
    expect(parseArguments([])).toMatchObject({ sections: sectionNames, isQuick: false });
    expect(parseArguments(["--help", "start"])).toBe("help");
  });

  it.each([
    [["speed"], 'there is no section "speed"; expected size, calls, start, init, secret, memory, read, share'],
    [["--plot="], "--plot names no file"],
    [["--json="], "--json names no file"],
    [["--wcp="], "--wcp names no file"],
    [["--quik"], "unknown option '--quik'; did you mean --quick?"],
  ])("are rejected if they are %j", (args, message) => {
    expect(() => parseArguments(args)).toThrow(new CommandError(2, message));
  });
});
