/**
 * AWS's answers and the bodies that the extension makes of them, both literally. The first secret and the parameters were
 * recorded from AWS (https://github.com/fedonev/lambda-params-secrets), with region and account changed.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { afterAll, expect } from "vitest";
import { ANY_SECRET, ask, conform, shareBench } from "../support/conformance.ts";

interface Vector {
  readonly name: string;
  /** The answer to GetSecretValue or GetParameter. */
  readonly aws: { readonly Name?: string; readonly Parameter?: { readonly Name: string } };
  readonly extension?: object;
  readonly agent?: object;
  readonly parameter?: object;
}

const vectors: readonly Vector[] = JSON.parse(
  readFileSync(new URL("../fixtures/conformance-bodies.json", import.meta.url), "utf8"),
);
const toName = ({ aws }: Vector) => aws.Name ?? aws.Parameter?.Name ?? "";

/** Answers as the vectors say, to every caller. STS is the fake AWS. */
const aws = createServer(async (incoming, response) => {
  const { SecretId, Name } = (await json(incoming)) as Readonly<Record<string, string>>;
  const vector = vectors.find((candidate) => toName(candidate) === (SecretId ?? Name));
  response.writeHead(vector === undefined ? 400 : 200, { "Content-Type": "application/x-amz-json-1.1" });
  response.end(JSON.stringify(vector?.aws ?? { __type: "ResourceNotFoundException" }));
});
await new Promise<void>((resolve) => aws.listen(0, "127.0.0.1", resolve));
afterAll(() => new Promise((resolve) => aws.close(resolve).closeAllConnections()));
const url = `http://127.0.0.1:${(aws.address() as AddressInfo).port}`;

const bench = shareBench({
  environment: {
    AWS_ENDPOINT_URL_SECRETS_MANAGER: url,
    AWS_ENDPOINT_URL_SSM: url,
    ...ANY_SECRET,
  },
});

const ROUTES = [
  ["extension", "/secretsmanager/get?secretId="],
  ["agent", "/v1/"],
  ["parameter", "/systemsmanager/parameters/get?withDecryption=true&name="],
] as const;

/** Lists the keys in their order, and the values except those that identify the secret. */
const toText = (body: object): string =>
  Object.entries("Parameter" in body ? { ...Object(body.Parameter), ...body, Parameter: "…" } : body)
    .map(([key, value]) =>
      /^(Arn|ARN|Name|VersionId|Version|Type)$/.test(key) ? key : `${key} ${JSON.stringify(value)}`,
    )
    .join(", ");

for (const vector of vectors) {
  for (const [form, route] of ROUTES) {
    const golden = vector[form];
    if (golden === undefined) continue;
    const name = form === "parameter" ? vector.name : `${vector.name}, in the format of the ${form}`;
    conform({ group: "bodies", name, expected: toText(golden) }, async (see) => {
      const { status, headers, body } = await ask(bench(), { target: `${route}${encodeURIComponent(toName(vector))}` });
      const parsed = JSON.parse(body);
      see(status === 200 ? toText(parsed) : `${status} ${body}`);
      expect([status, headers["content-type"]]).toEqual([200, "application/json"]);
      expect(parsed).toEqual(golden);
      // toEqual ignores the order of the keys.
      expect(JSON.stringify(parsed)).toBe(JSON.stringify(golden));
    });
  }
}
