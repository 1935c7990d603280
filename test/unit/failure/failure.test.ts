import { describe, expect, it } from "vitest";
import { Failure, PublicError, toFailure, toPublicText } from "../../../extension/failure/failure.ts";

const CANARY = "CANARY-9d2b";

/** What `work` throws. */
function catchFrom(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

describe("a failure", () => {
  it("is an error with a code, a message and details", () => {
    const details = { remedy: "do it", requestId: "r-1", awsCode: "AccessDenied" };
    const failure = new Failure("kms-denied", "may not", details);
    expect(failure).toBeInstanceOf(Error);
    expect(failure).toMatchObject({ code: "kms-denied", message: "may not", details });
  });

  it("needs no details", () => {
    expect(new Failure("timeout", "too late").details).toEqual({});
  });

  it("can be copied with the time of the next try, and is itself unchanged", () => {
    const details = { remedy: "do it", requestId: "r-1", awsCode: "AccessDenied" };
    const failure = new Failure("kms-denied", "may not", details);
    expect(failure.withRetryAfter(1_500)).toMatchObject({
      code: "kms-denied",
      message: "may not",
      details: { ...details, retryAfterMs: 1_500 },
    });
    expect(failure.withRetryAfter(1_500)).toBeInstanceOf(Failure);
    expect(failure.withRetryAfter(1_500).withRetryAfter(20).details.retryAfterMs).toBe(20);
    expect(failure.details).toEqual(details);
  });

  it("is returned unchanged if it is thrown", () => {
    const failure = new Failure("timeout", "too late");
    expect(toFailure(failure)).toBe(failure);
  });

  it.each<[string, unknown]>([
    ["an error", new Error(CANARY)],
    ["an error with a cause", new Error("outer", { cause: new Error(CANARY) })],
    ["a parse error, in which V8 quotes the text", catchFrom(() => JSON.parse(CANARY))],
    [
      "an object that looks like a failure",
      { name: "Failure", code: "timeout", message: CANARY, details: { remedy: CANARY } },
    ],
    ["a text", CANARY],
    ["an object", { secret: CANARY }],
    ["null", null],
    ["undefined", undefined],
  ])("made from %s is internal, and keeps nothing of the original", (_, thrown) => {
    const failure = toFailure(thrown);
    expect(failure).toMatchObject({
      code: "internal",
      message: "the extension has a bug and could not answer",
      details: {},
    });
    expect(failure.cause).toBeUndefined();
    expect(`${failure.stack}${JSON.stringify(failure)}`).not.toContain(CANARY);
  });
});

describe("the public text of a thrown value", () => {
  it.each<[string, Error]>([
    ["an error with a public message", new PublicError("port 2773 is taken")],
    ["a failure", new Failure("timeout", "port 2773 is taken")],
  ])("is the message of %s", (_, thrown) => {
    expect(toPublicText(thrown)).toBe("port 2773 is taken");
  });

  it.each<[string, unknown]>([
    ["Error", new Error(CANARY, { cause: CANARY })],
    ["TypeError", new TypeError(CANARY)],
    ["SyntaxError", catchFrom(() => JSON.parse(CANARY))],
    ["AggregateError", new AggregateError([new Error(CANARY)], CANARY)],
    ["Error", Object.assign(new Error(CANARY), { name: CANARY, code: CANARY })],
    ["object", { message: CANARY, toString: () => CANARY }],
    ["object", null],
    ["string", CANARY],
    ["undefined", undefined],
  ])("is only the class or the type, %s, of any other value", (kind, thrown) => {
    expect(toPublicText(thrown)).toBe(`unexpected ${kind}`);
  });
});
