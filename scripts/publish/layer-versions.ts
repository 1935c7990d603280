/** Finds, publishes and grants layer versions at AWS Lambda. */
import {
  AddLayerVersionPermissionCommand,
  type Architecture,
  GetLayerVersionCommand,
  GetLayerVersionPolicyCommand,
  LambdaClient,
  type LambdaClientConfig,
  PublishLayerVersionCommand,
  paginateListLayerVersions,
  ResourceNotFoundException,
  type Runtime,
} from "@aws-sdk/client-lambda";
import { type ManifestEntry, toLayerName } from "../build/layers.ts";
import { toDescription } from "./report.ts";

/** A layer that `npm run build` has made, with the bytes of its zip. */
export interface BuiltLayer extends ManifestEntry {
  readonly bytes: Buffer;
}

export interface LayerVersion {
  /** The layer's name at Lambda. */
  readonly name: string;
  readonly arn: string;
  readonly number: number;
}

/** Lambda in one region. */
export interface RegionalLambda {
  readonly region: string;
  /** Returns the newest version of the layer if it has the same bytes. */
  findVersion(layer: BuiltLayer): Promise<LayerVersion | undefined>;
  publish(layer: BuiltLayer): Promise<LayerVersion>;
  /** Lets all accounts of an organization use the layer version, unless they already may. */
  grant(version: LayerVersion, organizationId: string): Promise<void>;
}

const CONNECTION_TIMEOUT_MS = 10_000;
/** The longest silence of a connection. Lambda unpacks a layer before it answers. */
const SILENCE_TIMEOUT_MS = 300_000;

/** Creates one for each region, all with the same credentials. Rejects if there are no credentials. */
export async function createRegionalLambdas(regions: readonly string[]): Promise<RegionalLambda[]> {
  const requestHandler = { connectionTimeout: CONNECTION_TIMEOUT_MS, socketTimeout: SILENCE_TIMEOUT_MS };
  const create = (config: LambdaClientConfig) => new LambdaClient({ ...config, requestHandler });
  const [first = ""] = regions;
  const { credentials } = create({ region: first }).config;
  await credentials();
  return regions.map((region) => {
    const client = create({ region, credentials });
    // Makes one attempt: if the answer to an upload were lost, a second attempt would create a second layer version.
    const uploader = create({ region, credentials, maxAttempts: 1 });
    const find = (layer: BuiltLayer) => findVersion(client, layer);
    return {
      region,
      findVersion: find,
      async publish(layer) {
        try {
          return await upload(uploader, layer);
        } catch (error) {
          // The upload may have worked, and only its answer was lost.
          const published = await find(layer).catch(() => undefined);
          if (published !== undefined) return published;
          throw error;
        }
      },
      grant: (version, organizationId) => grant(client, version, organizationId),
    };
  });
}

async function findVersion(client: LambdaClient, layer: BuiltLayer): Promise<LayerVersion | undefined> {
  const name = toLayerName(layer.name);
  try {
    let number = 0;
    for await (const { LayerVersions = [] } of paginateListLayerVersions({ client }, { LayerName: name })) {
      number = Math.max(number, ...LayerVersions.map(({ Version = 0 }) => Version));
    }
    if (number === 0) return undefined;
    // The list has no checksums.
    const newest = await client.send(new GetLayerVersionCommand({ LayerName: name, VersionNumber: number }));
    const isSame = newest.Content?.CodeSha256 === Buffer.from(layer.sha256, "hex").toString("base64");
    return isSame ? { name, arn: newest.LayerVersionArn ?? "", number } : undefined;
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}

async function upload(client: LambdaClient, layer: BuiltLayer): Promise<LayerVersion> {
  const name = toLayerName(layer.name);
  const { LayerVersionArn = "", Version = 0 } = await client.send(
    new PublishLayerVersionCommand({
      LayerName: name,
      Description: toDescription(layer),
      Content: { ZipFile: layer.bytes },
      CompatibleArchitectures: layer.architectures as Architecture[],
      CompatibleRuntimes: layer.compatibleRuntimes as Runtime[],
      LicenseInfo: "Apache-2.0",
    }),
  );
  return { name, arn: LayerVersionArn, number: Version };
}

/** https://docs.aws.amazon.com/lambda/latest/dg/permissions-layer-cross-account.html */
async function grant(client: LambdaClient, { name, number }: LayerVersion, organizationId: string): Promise<void> {
  const version = { LayerName: name, VersionNumber: number };
  const StatementId = `organization-${organizationId}`;
  if ((await readStatementIds(client, version)).includes(StatementId)) return;
  const permission = { Action: "lambda:GetLayerVersion", Principal: "*", OrganizationId: organizationId };
  await client.send(new AddLayerVersionPermissionCommand({ ...version, StatementId, ...permission }));
}

async function readStatementIds(client: LambdaClient, version: { LayerName: string; VersionNumber: number }) {
  try {
    const { Policy = "{}" } = await client.send(new GetLayerVersionPolicyCommand(version));
    const { Statement = [] }: { readonly Statement?: readonly { readonly Sid?: string }[] } = JSON.parse(Policy);
    return Statement.map(({ Sid }) => Sid);
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return []; // nothing is granted yet
    throw error;
  }
}
