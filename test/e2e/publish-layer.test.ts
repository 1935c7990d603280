import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { GetLayerVersionCommand, GetLayerVersionPolicyCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { describe, expect, onTestFinished, test } from "vitest";
import { readManifest } from "../../scripts/build/layers.ts";
import { createFolder, publishLayer } from "../support/publish-layer.ts";
import { unavailable } from "./support/availability.ts";
import { startMotoServer } from "./support/moto.ts";

const REGIONS = ["eu-west-1", "us-east-1"];
const ORGANIZATION = "o-exampleorgid";
const dist = fileURLToPath(new URL("../../dist", import.meta.url));

/** moto's server keeps the bytes of a layer, but has no URL for them. This one also writes them into a folder. */
const MOTO_WITH_LOCATIONS = `
import os, sys
from moto.awslambda.models import LayerVersion
from moto.server import main

answer = LayerVersion.get_layer_version

def with_location(self):
    answered = answer(self)
    answered["Content"]["Location"] = os.path.join(sys.argv[1], f"{self.region}-{self.name}-{self.version}.zip")
    with open(answered["Content"]["Location"], "wb") as file:
        file.write(self.code_bytes)
    return answered

LayerVersion.get_layer_version = with_location
main(["-H", "127.0.0.1", "-p", "0"])
`;

describe.skipIf(unavailable)("publish:layer and moto's Lambda", () => {
  test("every built layer is published to two regions, byte for byte", async () => {
    const endpoint = await startMotoLambda();
    const layers = await readManifest(dist);
    const run = await publishLayer(["--regions", REGIONS.join()], { endpoint });

    expect(run).toMatchObject({ exitCode: 0, report: { failures: [] } });
    expect(run.report?.layerVersions).toHaveLength(2 * layers.length);
    for (const region of REGIONS) {
      for (const layer of layers) {
        const name = `cross-account-secrets-${layer.name}`;
        const published = await readBack(endpoint, region, name);
        const arn = `arn:aws:lambda:${region}:123456789012:layer:${name}:1`;
        expect(published).toMatchObject({
          LayerVersionArn: arn,
          Version: 1,
          LicenseInfo: "Apache-2.0",
          CompatibleArchitectures: layer.architectures,
          CompatibleRuntimes: layer.compatibleRuntimes,
        });
        expect(published.Description).toMatch(`cross-account-secrets ${layer.version}, `);
        const [sent, kept] = await Promise.all(
          [`${dist}/${layer.file}`, published.Content?.Location ?? ""].map((file) => readFile(file)),
        );
        expect(sent?.equals(kept ?? Buffer.alloc(0))).toBe(true);
        expect(run.report?.layerVersions).toContainEqual({
          region,
          layer: name,
          state: "published",
          layerVersionArn: arn,
        });
        expect(run.stderr).toMatch(`| ${region} | \`${arn}\` |`);
      }
    }
  });

  test("a second run publishes nothing, and a missing grant is added once", async () => {
    const endpoint = await startMotoLambda();
    const args = ["--regions", REGIONS.join(), "--layers", "nodejs"];
    const states = async (more: string[]) => {
      const { exitCode, report } = await publishLayer([...args, ...more], { endpoint });
      expect({ exitCode, failures: report?.failures }).toEqual({ exitCode: 0, failures: [] });
      return report?.layerVersions.map(({ state, organizationId }) => [state, organizationId]);
    };
    const granted = ["existing", ORGANIZATION];
    expect(await states([])).toEqual([
      ["published", undefined],
      ["published", undefined],
    ]);
    expect(await states([])).toEqual([
      ["existing", undefined],
      ["existing", undefined],
    ]);
    expect(await states(["--organization", ORGANIZATION])).toEqual([granted, granted]);
    expect(await states(["--organization", ORGANIZATION])).toEqual([granted, granted]);

    for (const region of REGIONS) {
      const lambda = createClient(endpoint, region);
      const place = { LayerName: "cross-account-secrets-nodejs", VersionNumber: 1 };
      const { Policy = "" } = await lambda.send(new GetLayerVersionPolicyCommand(place));
      // AWS makes a condition from the organization. moto keeps the parameter.
      expect(JSON.parse(Policy).Statement).toEqual([
        expect.objectContaining({
          Sid: `organization-${ORGANIZATION}`,
          Effect: "Allow",
          Principal: "*",
          Action: "lambda:GetLayerVersion",
          OrganizationId: ORGANIZATION,
        }),
      ]);
      await expect(lambda.send(new GetLayerVersionCommand({ ...place, VersionNumber: 2 }))).rejects.toThrow();
    }
  });

  test("--dry-run publishes nothing", async () => {
    const endpoint = await startMotoLambda();
    const run = await publishLayer(["--regions", REGIONS.join(), "--dry-run"], { endpoint });
    expect(run.exitCode).toBe(0);
    for (const region of REGIONS) {
      await expect(readBack(endpoint, region, "cross-account-secrets-nodejs")).rejects.toThrow();
    }
  });
});

const createClient = (endpoint: string, region: string): LambdaClient => {
  const client = new LambdaClient({ endpoint, region, credentials: { accessKeyId: "none", secretAccessKey: "none" } });
  onTestFinished(() => client.destroy());
  return client;
};

/** Reads the first version of a layer. */
const readBack = (endpoint: string, region: string, LayerName: string) =>
  createClient(endpoint, region).send(new GetLayerVersionCommand({ LayerName, VersionNumber: 1 }));

/** Starts a moto server that ends with the test. Returns its URL. */
async function startMotoLambda(): Promise<string> {
  const server = await startMotoServer(["-c", MOTO_WITH_LOCATIONS, await createFolder()]);
  onTestFinished(() => server.close());
  return server.url;
}
