import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { NODE_VERSION } from "../../scripts/build/node-binary.ts";
import type { CommandError } from "../../scripts/cli/world.ts";
import { checkZip, chooseLayers, parseManifest, parsePublishOptions } from "../../scripts/publish/checks.ts";
import {
  type PublishResult,
  toChangelogTable,
  toDescription,
  toFailureText,
  toProgressLine,
  toPublishExitCode,
} from "../../scripts/publish/report.ts";
import { startLocalServer } from "../support/local-server.ts";
import { createDist, createEntry, createFolder, publishLayer } from "../support/publish-layer.ts";

const ORGANIZATION = "o-exampleorgid";
const NO_CREDENTIALS = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, AWS_SESSION_TOKEN: undefined };

describe("arguments", () => {
  test("a list can have commas, spaces, repetitions and several options", () => {
    const args = ["--regions", "eu-west-1, us-east-1,", "--regions=eu-west-1", "--layers", "nodejs,arm64"];
    expect(parsePublishOptions([...args, "--organization", ORGANIZATION, "--dry-run"], {})).toEqual({
      regions: ["eu-west-1", "us-east-1"],
      layers: ["nodejs", "arm64"],
      organizationId: ORGANIZATION,
      isDryRun: true,
      folder: "dist",
    });
  });

  test("the regions of every partition are accepted", () => {
    const regions = ["ap-southeast-2", "us-gov-west-1", "cn-northwest-1", "us-isob-east-1", "eusc-de-east-1"];
    expect(parsePublishOptions(["--regions", regions.join()], {})).toMatchObject({ regions, layers: undefined });
  });

  test.each([
    [[], "--regions is missing; an example: --regions eu-west-1"],
    [["--regions", " , "], "--regions is missing; an example: --regions eu-west-1"],
    [["--regions"], "option '--regions <value>' argument missing; --help lists the options"],
    [["--regions", "--dry-run"], "option '--regions' argument is ambiguous; --help lists the options"],
    [["--regoins", "eu-west-1"], "unknown option '--regoins'; did you mean --regions?"],
    [["eu-west-1"], "unexpected argument 'eu-west-1'; --help lists the options"],
    [["--regions", "eu-west"], '"eu-west" is not a region; an example: eu-west-1'],
    [["--regions", "eu-west-1", "--layers", ","], "--layers names no layer"],
    [
      ["--regions", "eu-west-1", "--dry-run=no"],
      "option '--dry-run' does not take an argument; --help lists the options",
    ],
    [
      ["--regions", "eu-west-1", "--organization", "111111111111"],
      '"111111111111" is not an organization\'s id; an example: o-exampleorgid',
    ],
  ])("the arguments %j are a usage error", (args, message) => {
    expect(errorOf(() => parsePublishOptions(args, {}))).toEqual({ message, exitCode: 2 });
  });

  test("a --dry-run that npm takes for itself is a usage error, not a real run", () => {
    const environment = { npm_config_dry_run: "true" };
    const { exitCode, message } = errorOf(() => parsePublishOptions(["--regions", "eu-west-1"], environment));
    expect(exitCode).toBe(2);
    expect(message).toMatch("npm took --dry-run for itself");
    expect(parsePublishOptions(["--regions", "eu-west-1", "--dry-run"], environment)).toMatchObject({ isDryRun: true });
  });
});

describe("the manifest", () => {
  const layers = [createEntry("nodejs"), createEntry("x86_64")];

  test("gives all its layers to publish, or only the named ones", () => {
    const parsed = parseManifest(JSON.stringify({ layers }), "dist/manifest.json");
    expect(chooseLayers(undefined, parsed)).toEqual({ version: "0.1.0", chosen: layers });
    expect(chooseLayers(["x86_64"], parsed).chosen.map(({ name }) => name)).toEqual(["x86_64"]);
  });

  test.each(["", "null", "{}", '{"layers":[{}]}', '{"layers":[{"name":"nodejs"}]}'])(
    "with the text %j is an error",
    (written) => {
      const message = "dist/manifest.json is not what npm run build writes: run it again";
      expect(errorOf(() => parseManifest(written, "dist/manifest.json"))).toEqual({ message, exitCode: 1 });
    },
  );

  test.each([
    [["arm64"], layers, 'layer "arm64" is not built (built: nodejs, x86_64): run npm run build'],
    [undefined, [], "no layer is built: run npm run build"],
    [
      undefined,
      [createEntry("nodejs"), createEntry("arm64", { version: "0.2.0" })],
      "the built layers have two versions, 0.1.0 and 0.2.0: run npm run build",
    ],
    [
      undefined,
      [createEntry("arm64", { zippedBytes: 52_428_801 })],
      "cross-account-secrets-arm64.zip has 52428801 bytes; Lambda takes at most 52428800 in a request",
    ],
    [
      undefined,
      [createEntry("arm64", { unzippedBytes: 262_144_001 })],
      "cross-account-secrets-arm64.zip has 262144001 bytes unzipped; Lambda takes at most 262144000, with the function",
    ],
    [
      undefined,
      [createEntry("arm64", { compatibleRuntimes: Array(16).fill("java21") })],
      "cross-account-secrets-arm64.zip lists 16 runtimes; Lambda takes at most 15",
    ],
  ])("choosing %j of the layers %j is an error", (wanted, built, message) => {
    expect(errorOf(() => chooseLayers(wanted, built))).toEqual({ message, exitCode: 1 });
  });

  test("must have the checksum of the zip", () => {
    const entry = createEntry("nodejs");
    checkZip(entry, entry.sha256);
    expect(errorOf(() => checkZip(entry, "abc"))).toEqual({
      message: `cross-account-secrets-nodejs.zip has sha256 abc, but manifest.json says ${entry.sha256}: run npm run build`,
      exitCode: 1,
    });
  });

  test("gives a description within Lambda's limit of 256 characters", () => {
    expect(toDescription(createEntry("x86_64"))).toMatch(`cross-account-secrets 0.1.0, with Node.js ${NODE_VERSION}: `);
    expect(toDescription(createEntry("nodejs"))).toMatch("cross-account-secrets 0.1.0, on the runtime's own Node.js: ");
    expect(toDescription(createEntry("x86_64", { version: "100.100.100-beta.100" })).length).toBeLessThan(256);
  });
});

describe("the report", () => {
  const layer = "cross-account-secrets-nodejs";
  const arn = `arn:aws:lambda:eu-west-1:222222222222:layer:${layer}:7`;
  const published: PublishResult = { region: "eu-west-1", layer, state: "published", layerVersionArn: arn };
  const failed: PublishResult = { region: "us-east-1", layer, state: "failed", failure: "out of space" };

  test("has a table for the changelog", () => {
    expect(toChangelogTable("0.1.0", [published, failed])).toBe(
      `Layer versions of 0.1.0:\n\n| region | layer version |\n|---|---|\n| eu-west-1 | \`${arn}\` |`,
    );
  });

  test("has a line for each layer and region", () => {
    expect(toProgressLine({ ...published, organizationId: ORGANIZATION })).toBe(
      `eu-west-1       ${layer}  published  ${arn}, for ${ORGANIZATION}`,
    );
    expect(toProgressLine(failed)).toBe(`us-east-1       ${layer}  failed     out of space`);
  });

  test("gives exit code 0 for all, 1 for nothing, 3 for a part", () => {
    expect(toPublishExitCode([published])).toBe(0);
    expect(toPublishExitCode([failed])).toBe(1);
    expect(toPublishExitCode([published, failed])).toBe(3);
    expect(toPublishExitCode([{ ...published, failure: "not granted" }])).toBe(3);
  });

  test("writes an error in one line", () => {
    const error = Object.assign(new Error("User is not authorized\nto perform: x"), { name: "AccessDeniedException" });
    expect(toFailureText(error, "eu-west-1")).toBe(
      "Lambda in eu-west-1: AccessDeniedException: User is not authorized to perform: x",
    );
    expect(toFailureText("thrown", "eu-west-1")).toBe("Lambda in eu-west-1: Error: thrown");
  });
});

describe("a run that finds a mistake", () => {
  test.each([
    ["no --from folder", ["--from", "/nonexistent"], "/nonexistent/manifest.json is missing: run npm run build first"],
    ["an unknown option", ["--region"], "unknown option '--region'; did you mean --regions?"],
  ])("ends before any call: %s", async (_, args, message) => {
    const lambda = await startFakeLambda();
    const run = await publishLayer(["--regions", "eu-west-1", ...args], { endpoint: lambda.url });
    expect(run).toMatchObject({ stdout: "", message: `publish:layer: ${message}` });
    expect(run.exitCode).toBeGreaterThan(0);
    expect(lambda.calls).toEqual([]);
  });

  test("ends before any call if a zip differs from the built one", async () => {
    const lambda = await startFakeLambda();
    const { folder, layers } = await createDist(["nodejs", "arm64"]);
    await writeFile(join(folder, layers[1]?.file ?? ""), "something else");
    const run = await publishLayer(["--regions", "eu-west-1", "--from", folder], { endpoint: lambda.url });
    expect(run).toMatchObject({ exitCode: 1, stdout: "" });
    expect(run.message).toMatch(/^publish:layer: cross-account-secrets-arm64.zip has sha256 .*: run npm run build$/);
    expect(lambda.calls).toEqual([]);
  });

  test("ends before any call, within 10 s, without credentials", async () => {
    const lambda = await startFakeLambda();
    const { folder } = await createDist(["nodejs"]);
    const args = ["--regions", "eu-west-1,us-east-1", "--from", folder];
    const run = await publishLayer(args, { endpoint: lambda.url, environment: NO_CREDENTIALS });
    expect(run).toMatchObject({ exitCode: 1, stdout: "" });
    expect(run.message).toMatch(/^publish:layer: no AWS credentials: .*; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and/);
    expect(lambda.calls).toEqual([]);
    expect(run.ms).toBeLessThan(10_000);
  });

  test("ends before any upload with expired credentials", async () => {
    const lambda = await startFakeLambda(({ region }) =>
      region === "us-east-1" ? { status: 403, error: "ExpiredTokenException" } : undefined,
    );
    const { folder } = await createDist(["nodejs"]);
    const run = await publishLayer(["--regions", "eu-west-1,us-east-1", "--from", folder], { endpoint: lambda.url });
    expect(run).toMatchObject({ exitCode: 1, stdout: "" });
    expect(run.message).toMatch(/^publish:layer: Lambda in us-east-1 does not accept the credentials: .*ExpiredToken/);
    expect(lambda.calls.filter(({ operation }) => operation === "publish")).toEqual([]);
  });

  test("ends with an error for a region that does not exist", async () => {
    const { folder } = await createDist(["nodejs"]);
    // https://www.rfc-editor.org/rfc/rfc6761#section-6.4
    const endpoint = "http://lambda.eu-nowhere-1.invalid";
    const run = await publishLayer(["--regions", "eu-nowhere-1", "--from", folder], { endpoint });
    expect(run).toMatchObject({ exitCode: 1, stdout: "" });
    expect(run.message).toMatch(
      /^publish:layer: lambda.eu-nowhere-1.invalid has no address: there is no region eu-nowhere-1, or this machine has no network/,
    );
  });
});

test("--dry-run makes no call, and needs no credentials", async () => {
  const lambda = await startFakeLambda();
  const { folder } = await createDist(["nodejs", "x86_64"]);
  const args = ["--regions", "eu-west-1,us-east-1", "--layers", "x86_64", "--from", folder, "--dry-run"];
  const run = await publishLayer(args, { endpoint: lambda.url, environment: NO_CREDENTIALS });
  const layer = "cross-account-secrets-x86_64";
  expect(run).toMatchObject({ exitCode: 0 });
  expect(run.report).toEqual({
    version: "0.1.0",
    layerVersions: ["eu-west-1", "us-east-1"].map((region) => ({ region, layer, state: "planned" })),
    failures: [],
  });
  expect(lambda.calls).toEqual([]);
});

test("--help lists every option and ends with 0", async () => {
  const run = await publishLayer(["--help"], { endpoint: "http://lambda.invalid" });
  expect(run.exitCode).toBe(0);
  for (const option of ["regions", "layers", "organization", "dry-run", "from", "help"]) {
    expect(run.stdout).toMatch(`--${option}`);
  }
});

describe("a run that fails in part", () => {
  test("says which regions are done, and the next run does only the rest", async () => {
    let isFull = true;
    const lambda = await startFakeLambda(({ region, operation }) =>
      isFull && region === "us-east-1" && operation === "publish"
        ? { status: 400, error: "CodeStorageExceededException" }
        : undefined,
    );
    const { folder } = await createDist(["nodejs"]);
    const args = ["--regions", "eu-west-1,us-east-1,ap-south-1", "--from", folder];
    const first = await publishLayer(args, { endpoint: lambda.url });
    expect(first.exitCode).toBe(3);
    expect(first.report?.layerVersions.map(({ region, state }) => `${region} ${state}`)).toEqual([
      "eu-west-1 published",
      "ap-south-1 published",
    ]);
    expect(first.report?.failures).toEqual([
      {
        region: "us-east-1",
        layer: "cross-account-secrets-nodejs",
        failure: "Lambda in us-east-1: CodeStorageExceededException: said the test",
      },
    ]);
    expect(first.stderr).toMatch("done: eu-west-1, ap-south-1; not done: us-east-1; run it again for the rest");

    isFull = false;
    const second = await publishLayer(args, { endpoint: lambda.url });
    expect(second.exitCode).toBe(0);
    expect(second.report?.layerVersions.map(({ state }) => state)).toEqual(["existing", "published", "existing"]);
  });

  test("stops when the credentials are no longer accepted", async () => {
    const lambda = await startFakeLambda(({ region, operation }) =>
      region !== "eu-west-1" && operation === "publish" ? { status: 403, error: "ExpiredTokenException" } : undefined,
    );
    const { folder } = await createDist(["nodejs"]);
    const args = ["--regions", "eu-west-1,us-east-1,ap-south-1", "--from", folder];
    const run = await publishLayer(args, { endpoint: lambda.url });
    expect(run.exitCode).toBe(3);
    expect(run.report?.failures).toMatchObject([
      { region: "us-east-1", failure: expect.stringMatching("does not accept the credentials") },
      { region: "ap-south-1", failure: "not tried, because the credentials are no longer accepted" },
    ]);
    const uploads = lambda.calls.filter(({ operation }) => operation === "publish");
    expect(uploads.map(({ region }) => region)).toEqual(["eu-west-1", "us-east-1"]);
  });

  test("reports a layer version that is published but not granted, and the next run grants it", async () => {
    let isForbidden = true;
    const lambda = await startFakeLambda(({ operation }) =>
      isForbidden && operation === "grant" ? { status: 403, error: "AccessDeniedException" } : undefined,
    );
    const { folder } = await createDist(["nodejs"]);
    const args = ["--regions", "eu-west-1", "--organization", ORGANIZATION, "--from", folder];
    const first = await publishLayer(args, { endpoint: lambda.url });
    expect(first.exitCode).toBe(3);
    expect(first.report?.layerVersions).toMatchObject([{ state: "published" }]);
    expect(first.report?.layerVersions[0]?.organizationId).toBeUndefined();
    expect(first.report?.failures).toMatchObject([
      { failure: expect.stringMatching(`^not granted to ${ORGANIZATION}: Lambda in eu-west-1: AccessDenied`) },
    ]);

    isForbidden = false;
    const second = await publishLayer(args, { endpoint: lambda.url });
    expect(second.exitCode).toBe(0);
    expect(second.report?.layerVersions).toMatchObject([{ state: "existing", organizationId: ORGANIZATION }]);
  });

  test("recognizes an upload whose answer was lost, and does not repeat it", async () => {
    const lambda = await startFakeLambda(({ operation }) =>
      operation === "publish" ? { status: 0, error: "the connection is cut after it" } : undefined,
    );
    const { folder } = await createDist(["nodejs"]);
    const run = await publishLayer(["--regions", "eu-west-1", "--from", folder], { endpoint: lambda.url });
    expect(run.exitCode).toBe(0);
    expect(run.report?.layerVersions).toMatchObject([{ state: "published", layerVersionArn: toArn("eu-west-1", 1) }]);
    expect(lambda.calls.filter(({ operation }) => operation === "publish")).toHaveLength(1);
  });
});

test("bytes that differ from the newest version are published, even if an older version has them", async () => {
  const lambda = await startFakeLambda();
  const { folder } = await createDist(["nodejs"]);
  const other = await createFolder();
  const bytes = "other bytes";
  const entry = createEntry("nodejs", { sha256: createHash("sha256").update(bytes).digest("hex") });
  await writeFile(join(other, entry.file), bytes);
  await writeFile(join(other, "manifest.json"), JSON.stringify({ layers: [entry] }));
  for (const [from, number] of [folder, other, folder].map((from, index) => [from, index + 1] as const)) {
    const run = await publishLayer(["--regions", "eu-west-1", "--from", from], { endpoint: lambda.url });
    expect(run.report?.layerVersions).toMatchObject([
      { state: "published", layerVersionArn: toArn("eu-west-1", number) },
    ]);
  }
});

function errorOf(call: () => unknown): { message: string; exitCode: number } {
  try {
    call();
  } catch (error) {
    const { message, exitCode } = error as CommandError;
    return { message, exitCode };
  }
  throw new Error("the call did not throw");
}

interface LambdaCall {
  readonly region: string;
  readonly operation: "list" | "get" | "publish" | "policy" | "grant";
}

const toArn = (region: string, version: number): string =>
  `arn:aws:lambda:${region}:222222222222:layer:cross-account-secrets-nodejs:${version}`;

/** A Lambda that keeps versions of one layer. `refuse` decides about each call; status 0 does the call, then cuts the connection. */
async function startFakeLambda(
  refuse: (call: LambdaCall) => { status: number; error: string } | undefined = () => undefined,
) {
  const calls: LambdaCall[] = [];
  /** Region → checksums of the versions. */
  const versions = new Map<string, string[]>();
  const { url } = await startLocalServer(async (request, reply) => {
    const region = /\/([\w-]+)\/lambda\/aws4_request/.exec(request.headers.authorization ?? "")?.[1] ?? "";
    const operation = toOperation(request.method ?? "", request.url ?? "");
    const body = await text(request);
    calls.push({ region, operation });
    const refusal = refuse({ region, operation });
    if (refusal !== undefined && refusal.status > 0) return answer(reply, refusal.status, refusal.error);
    const there = versions.get(region) ?? [];
    const toVersion = (number: number) => ({
      Version: number,
      LayerVersionArn: toArn(region, number),
      Content: { CodeSha256: there[number - 1] },
    });
    if (operation === "publish") {
      const zip = Buffer.from(JSON.parse(body).Content.ZipFile, "base64");
      there.push(createHash("sha256").update(zip).digest("base64"));
      versions.set(region, there);
    }
    if (refusal !== undefined) return void request.socket.destroy();
    if (operation === "policy") return answer(reply, 404, "ResourceNotFoundException");
    const LayerVersions = there.map((_, index) => ({ Version: index + 1 })); // without Content, as in Lambda's answer
    answer(reply, 200, operation === "list" ? { LayerVersions } : toVersion(there.length));
  });
  return { url, calls };
}

function toOperation(method: string, path: string): LambdaCall["operation"] {
  if (path.includes("/policy")) return method === "GET" ? "policy" : "grant";
  if (method === "POST") return "publish";
  return /\/versions\/\d+$/.test(path) ? "get" : "list";
}

function answer(reply: ServerResponse, status: number, body: object | string): void {
  const headers = {
    "content-type": "application/json",
    ...(typeof body === "string" ? { "x-amzn-errortype": body } : {}),
  };
  reply.writeHead(status, headers).end(JSON.stringify(typeof body === "string" ? { message: "said the test" } : body));
}
