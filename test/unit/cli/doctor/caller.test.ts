import { describe, expect, it, vi } from "vitest";
import type { AwsCall } from "../../../../extension/failure/aws-error.ts";
import { diagnose } from "../../../../extension/failure/diagnosis.ts";
import { Failure, type FailureCode } from "../../../../extension/failure/failure.ts";
import {
  createOwnCredentials,
  explainCannotAssume,
  isAboutCaller,
  statementsOf,
  toIdNote,
  withCaller,
  withSignInRemedy,
} from "../../../../scripts/cli/doctor/caller.ts";
import { TARGET_ROLE_ARN as ROLE_ARN } from "../../../support/values.ts";

const SESSION_ARN = "arn:aws:sts::222222222222:assumed-role/my-lambda-role/me";
const account = "222222222222";
const role = { account, arn: SESSION_ARN, userId: "AROAEXAMPLE:me" };
const user = { account, arn: "arn:aws:iam::222222222222:user/ops/alice", userId: "AIDAEXAMPLE" };
const root = { account, arn: "arn:aws:iam::222222222222:root", userId: account };
const federated = { account, arn: "arn:aws:sts::222222222222:federated-user/bob", userId: `${account}:bob` };

const call: AwsCall = { operation: "AssumeRole", roleArn: ROLE_ARN, region: "eu-west-1", externalId: "our-id" };
const toDenial = (text: string, code = "AccessDenied") =>
  diagnose(Object.assign(new Error(text), { name: code, $fault: "client", $metadata: { httpStatusCode: 403 } }), call);
const denied = toDenial(`User: ${SESSION_ARN} is not authorized to perform: sts:AssumeRole on resource: ${ROLE_ARN}`);

describe("a denied AssumeRole of a caller that doctor knows", () => {
  it("names the role with its path on both sides", () => {
    const statements = statementsOf(withCaller(denied, role, { externalId: "our-id" }, "/service-role/"));
    const ownArn = "arn:aws:iam::222222222222:role/service-role/my-lambda-role";
    expect(statements).toEqual([
      {
        policy: "trust-policy",
        of: ROLE_ARN,
        statement: {
          Effect: "Allow",
          Principal: { AWS: ownArn },
          Action: "sts:AssumeRole",
          Condition: { StringEquals: { "sts:ExternalId": "our-id" } },
        },
      },
      {
        policy: "identity-policy",
        of: ownArn,
        statement: { Effect: "Allow", Action: "sts:AssumeRole", Resource: ROLE_ARN },
      },
    ]);
  });

  it("stays unchanged if the path is unknown", () => {
    expect(withCaller(denied, role, {}, undefined)).toBe(denied);
  });

  it("keeps the statement of a policy that belongs to neither side", () => {
    const limited = toDenial(
      `User: ${SESSION_ARN} is not authorized to perform: sts:AssumeRole on resource: ${ROLE_ARN} because no permissions boundary allows the sts:AssumeRole action`,
    );
    const statements = statementsOf(withCaller(limited, role, {}, "/"));
    expect(statements.map(({ policy }) => policy)).toEqual(["permissions-boundary"]);
    expect(statements).toEqual(statementsOf(limited));
  });

  it.each([
    ["the root user", root, "root user"],
    ["a federated user", federated, "GetFederationToken"],
  ])("cannot be corrected by a policy if the caller is %s", (_, identity, word) => {
    const failure = withCaller(denied, identity, {}, undefined);
    expect(failure).toMatchObject({ code: "assume-role-denied", message: denied.message });
    expect(failure.details.remedy).toContain(word);
    expect(statementsOf(failure)).toEqual([]);
  });

  it.each([role, user])("has no impediment in the caller $arn itself", (identity) => {
    expect(explainCannotAssume(identity)).toBeUndefined();
  });
});

it.each<[FailureCode, boolean]>([
  ["assume-role-denied", true],
  ["tag-session-denied", true],
  ["source-identity-denied", true],
  ["explicit-deny", true],
  ["assume-role-rejected", false],
  ["region-disabled", false],
  ["unreachable", false],
])("%s is about the caller: %j", (code, isAbout) => {
  expect(isAboutCaller(new Failure(code, "m"))).toBe(isAbout);
});

describe("a role or user that was created again", () => {
  it.each([
    [role, "role my-lambda-role has the id AROAEXAMPLE: another AROA… in the trust policy is a role that was deleted"],
    [user, "user alice has the id AIDAEXAMPLE: another AIDA… in the trust policy is a user that was deleted"],
  ])("is distinguished from the deleted one by its ID", (identity, text) => {
    expect(toIdNote(identity)).toContain(text);
  });

  it.each([root, federated])("cannot be $arn", (identity) => {
    expect(toIdNote(identity)).toBeUndefined();
  });
});

describe("a failure of the caller's own credentials", () => {
  it.each(["credentials-expired", "credentials-invalid"] as const)(
    "with %s has the remedy to sign in again",
    (code) => {
      const failure = withSignInRemedy(
        new Failure(code, "m", { remedy: "a new environment", requestId: "r" }),
        "eu-west-1",
      );
      expect(failure).toMatchObject({ code, message: "m", details: { requestId: "r" } });
      for (const part of ["aws sso login", "AWS_PROFILE", "eu-west-1"]) expect(failure.details.remedy).toContain(part);
    },
  );

  it("is not assumed if AWS is unreachable", () => {
    const failure = new Failure("unreachable", "m", { remedy: "a route" });
    expect(withSignInRemedy(failure, "eu-west-1")).toBe(failure);
  });
});

const KEYS = { accessKeyId: "AKIAEXAMPLE", secretAccessKey: "s" };
const holding = (get: () => Promise<typeof KEYS>) => createOwnCredentials({ mayChange: true, get });

describe("the caller's own credentials", () => {
  it("are looked up once", async () => {
    const get = vi.fn(async () => KEYS);
    const own = holding(get);
    expect([await own.get(), await own.get()]).toEqual([KEYS, KEYS]);
    expect(get).toHaveBeenCalledTimes(1);
  });

  it("are looked up again after a failure", async () => {
    const get = vi.fn(async () => KEYS).mockRejectedValueOnce(new Failure("credentials-missing", "none"));
    const own = holding(get);
    await expect(own.get()).rejects.toMatchObject({ code: "credentials-missing" });
    expect(await own.get()).toEqual(KEYS);
  });
});
