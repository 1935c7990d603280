import { describe, expect, it } from "vitest";
import { Failure } from "../../../../extension/failure/failure.ts";
import { type DoctorStep, type StepResult, takeSteps } from "../../../../scripts/cli/doctor/take-steps.ts";

const toStep = (
  of: string,
  next: readonly DoctorStep[] = [],
  take: DoctorStep["take"] = async () => ({}),
): DoctorStep => ({
  name: "GetSecretValue",
  of,
  take,
  next,
});
const refuse = async () => {
  throw new Failure("throttled", "GetSecretValue was throttled");
};
const take = async (steps: readonly DoctorStep[], now = () => 0) => {
  const reported: StepResult[] = [];
  const results = await takeSteps(steps, now, (result) => void reported.push(result));
  expect(reported).toEqual(results);
  return results;
};
const brief = (results: readonly StepResult[]) => results.map(({ of, ok }) => `${of} ${ok}`);

describe("doctor", () => {
  it("takes a step, and then the steps that need it, in order", async () => {
    const results = await take([toStep("a", [toStep("b", [toStep("c")]), toStep("d")]), toStep("e")]);
    expect(brief(results)).toEqual(["a true", "b true", "c true", "d true", "e true"]);
  });

  it("does not try the steps that need a failed step, and continues with the others", async () => {
    const never = async () => {
      throw new Error("was tried");
    };
    const failing = toStep("b", [toStep("c", [toStep("d", [], never)], never)], refuse);
    const results = await take([toStep("a", [failing, toStep("e")])]);
    expect(brief(results)).toEqual(["a true", "b false", "c undefined", "d undefined", "e true"]);
    expect(results[1]?.failure).toMatchObject({ code: "throttled" });
  });

  it("measures how long a step took, and reports 0 ms if the clock has stepped back", async () => {
    const times = [1_000, 1_040, 2_000, 1_500];
    const results = await take([toStep("a"), toStep("b", [], refuse)], () => times.shift() ?? 0);
    expect(results.map(({ ms }) => ms)).toEqual([40, 0]);
  });

  it("does not count the time for the explanation of a failure", async () => {
    let nowMs = 0;
    const failing: DoctorStep = {
      ...toStep("a", [], refuse),
      async explain({ code }, note) {
        nowMs += 5_000;
        note("one");
        return new Failure(code, "and this is why");
      },
    };
    const [result] = await take([failing], () => nowMs);
    expect(result).toMatchObject({ ok: false, ms: 0, failure: { message: "and this is why" }, notes: ["one"] });
  });

  it("keeps the notes of a step, whether it succeeds or fails", async () => {
    const noting = toStep("a", [], async (note) => {
      note("one");
      return {};
    });
    const failing = toStep("b", [], async (note) => {
      note("two");
      return refuse();
    });
    expect((await take([noting, failing])).map(({ notes }) => notes)).toEqual([["one"], ["two"]]);
  });

  it("ends at an error that is not a Failure, because that is a bug", async () => {
    const broken = toStep("a", [], async () => {
      throw new TypeError("x");
    });
    await expect(take([broken])).rejects.toThrow(TypeError);
  });
});
