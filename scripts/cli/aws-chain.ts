/**
 * The SDK's default chain: it finds region and credentials as for every program on this machine, in variables, profiles,
 * SSO, a container or an instance's role. It is a bundle of its own, which no layer contains. aws-defaults.ts words its errors.
 * https://docs.aws.amazon.com/sdk-for-javascript/v3/developer-guide/setting-credentials-node.html
 */
import { STSClient } from "@aws-sdk/client-sts";
import { defaultProvider } from "@aws-sdk/credential-provider-node";
import { toRequestHandler } from "../../extension/aws/client.ts";

/** The region of AWS_REGION or of the profile. Rejects if there is no region or no such profile. */
export const findRegion = (): Promise<string> => new STSClient().config.region();

/**
 * Reads the files again each time. `region` and `caBundle` are for credentials that must be fetched from AWS. `note` gets the
 * reason of each place that has no credentials, because the error that is thrown in the end has only that of the last place.
 */
export const findCredentials = (region: string, caBundle: string | undefined, note: (text: string) => void) =>
  defaultProvider({
    clientConfig: { region, requestHandler: toRequestHandler(caBundle) },
    ignoreCache: true,
    // It warns of two kinds of credentials at once. Its other lines may contain anything.
    logger: { debug: note, info() {}, warn: console.warn, error() {} },
  })();
