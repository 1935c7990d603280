import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { GetLayerVersionCommand, GetLayerVersionPolicyCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { describe, expect, onTestFinished, test } from "vitest";
import { readManifest } from "../../scripts/build/layers.ts";
import { findCounterparts, toPython } from "../../scripts/setup/end-to-end.ts";
import { createFolder, publishLayer } from "../support/publish-layer.ts";
import { unavailable } from "./support/availability.ts";
import { createLog } from "./support/log.ts";
import { startProcess } from "./support/process.ts";

const REGIONS = ["eu-west-1", "us-east-1"];
const ORGANIZATION = "o-exampleorgid";
const dist = fileURLToPath(new URL("../../dist", import.meta.url));

/** moto's server, which keeps the bytes of a layer but has no address for them: this one puts them into a folder. */
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
  test("two regions get every layer that is built, byte for byte", async () => {
    const endpoint = await startMotoLambda();
    const layers = await readManifest(dist);
    const run = await publishLayer(["--regions", REGIONS.join()], { endpoint });

    expect(run).toMatchObject({ exitCode: 0, report: { failures: [] } });
    expect(run.report?.layerVersions).toHaveLength(2 * layers.length);
    for (const region of REGIONS) {
      for (const layer of layers) {
        const name = `cross-account-secrets-${layer.name}`;
        const there = await readBack(endpoint, region, name);
        const arn = `arn:aws:lambda:${region}:123456789012:layer:${name}:1`;
        expect(there).toMatchObject({
          LayerVersionArn: arn,
          Version: 1,
          LicenseInfo: "Apache-2.0",
          CompatibleArchitectures: layer.architectures,
          CompatibleRuntimes: layer.compatibleRuntimes,
        });
        expect(there.Description).toMatch(`cross-account-secrets ${layer.version}, `);
        const [sent, kept] = await Promise.all(
          [`${dist}/${layer.file}`, there.Content?.Location ?? ""].map((file) => readFile(file)),
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

  test("a second run publishes nothing, and makes a grant that is missing, once", async () => {
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
      // AWS makes a condition of the organization; moto keeps it as it came.
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

  test("--dry-run leaves nothing there", async () => {
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

/** The first version of a layer. */
const readBack = (endpoint: string, region: string, LayerName: string) =>
  createClient(endpoint, region).send(new GetLayerVersionCommand({ LayerName, VersionNumber: 1 }));

/** Ends with the test. */
async function startMotoLambda(): Promise<string> {
  const counterparts = findCounterparts();
  if (counterparts === undefined) throw new Error("no moto: run npx tsx scripts/setup/end-to-end.ts");
  const log = createLog();
  const command = [toPython(counterparts.venv), "-c", MOTO_WITH_LOCATIONS, await createFolder()];
  const { child, ended } = startProcess({ command, onLine: log.add });
  void ended.then(log.end);
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const { text } = await log.waitFor(/Running on http:/, { timeoutMs: 30_000 });
  return text.replace(/.*(http:\/\/[\d.:]+).*/, "$1");
}
