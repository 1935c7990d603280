/** Layer versions at AWS Lambda: what is there, one more, and who may use it. */
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
import type { ManifestEntry } from "../build/layers.ts";
import { toDescription } from "./report.ts";

/** A built layer, and its bytes. */
export interface Zip extends ManifestEntry {
  readonly bytes: Buffer;
}

export interface LayerVersion {
  readonly layer: string;
  readonly arn: string;
  readonly number: number;
}

/** Lambda in one region. */
export interface Lambda {
  readonly region: string;
  /** The newest version of the layer, if it has these very bytes. */
  findVersion(zip: Zip): Promise<LayerVersion | undefined>;
  publish(zip: Zip): Promise<LayerVersion>;
  /** Lets all accounts of an organization use it, if they may not yet. */
  grant(version: LayerVersion, organizationId: string): Promise<void>;
}

/** The layer's name at Lambda. */
export const toLayerName = ({ name }: ManifestEntry): string => `cross-account-secrets-${name}`;

const CONNECTION_TIMEOUT_MS = 10_000;
/** How long a connection may be silent. Lambda unpacks a layer before it answers. */
const SILENCE_TIMEOUT_MS = 300_000;

/** One for each region, all with the same credentials, which are looked for at once. */
export async function createLambdas(regions: readonly string[]): Promise<Lambda[]> {
  const requestHandler = { connectionTimeout: CONNECTION_TIMEOUT_MS, socketTimeout: SILENCE_TIMEOUT_MS };
  const create = (config: LambdaClientConfig) => new LambdaClient({ ...config, requestHandler });
  const [first = ""] = regions;
  const { credentials } = create({ region: first }).config;
  await credentials();
  return regions.map((region) => {
    const client = create({ region, credentials });
    // Does not try again: an upload whose answer was lost would become two layer versions.
    const uploader = create({ region, credentials, maxAttempts: 1 });
    const find = (zip: Zip) => findVersion(client, zip);
    return {
      region,
      findVersion: find,
      async publish(zip) {
        try {
          return await upload(uploader, zip);
        } catch (error) {
          // Perhaps it is only the answer that was lost.
          const there = await find(zip).catch(() => undefined);
          if (there !== undefined) return there;
          throw error;
        }
      },
      grant: (version, organizationId) => grant(client, version, organizationId),
    };
  });
}

async function findVersion(client: LambdaClient, zip: Zip): Promise<LayerVersion | undefined> {
  const layer = toLayerName(zip);
  try {
    let number = 0;
    for await (const { LayerVersions = [] } of paginateListLayerVersions({ client }, { LayerName: layer })) {
      number = Math.max(number, ...LayerVersions.map(({ Version = 0 }) => Version));
    }
    if (number === 0) return undefined;
    // The list tells no checksum.
    const newest = await client.send(new GetLayerVersionCommand({ LayerName: layer, VersionNumber: number }));
    const isSame = newest.Content?.CodeSha256 === Buffer.from(zip.sha256, "hex").toString("base64");
    return isSame ? { layer, arn: newest.LayerVersionArn ?? "", number } : undefined;
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}

async function upload(client: LambdaClient, zip: Zip): Promise<LayerVersion> {
  const layer = toLayerName(zip);
  const { LayerVersionArn = "", Version = 0 } = await client.send(
    new PublishLayerVersionCommand({
      LayerName: layer,
      Description: toDescription(zip),
      Content: { ZipFile: zip.bytes },
      CompatibleArchitectures: zip.architectures as Architecture[],
      CompatibleRuntimes: zip.compatibleRuntimes as Runtime[],
      LicenseInfo: "Apache-2.0",
    }),
  );
  return { layer, arn: LayerVersionArn, number: Version };
}

/** https://docs.aws.amazon.com/lambda/latest/dg/permissions-layer-cross-account.html */
async function grant(client: LambdaClient, { layer, number }: LayerVersion, organizationId: string): Promise<void> {
  const place = { LayerName: layer, VersionNumber: number };
  const StatementId = `organization-${organizationId}`;
  if ((await readStatementIds(client, place)).includes(StatementId)) return;
  const permission = { Action: "lambda:GetLayerVersion", Principal: "*", OrganizationId: organizationId };
  await client.send(new AddLayerVersionPermissionCommand({ ...place, StatementId, ...permission }));
}

async function readStatementIds(client: LambdaClient, place: { LayerName: string; VersionNumber: number }) {
  try {
    const { Policy = "{}" } = await client.send(new GetLayerVersionPolicyCommand(place));
    const { Statement = [] }: { readonly Statement?: readonly { readonly Sid?: string }[] } = JSON.parse(Policy);
    return Statement.map(({ Sid }) => Sid);
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return []; // nothing is granted yet
    throw error;
  }
}
