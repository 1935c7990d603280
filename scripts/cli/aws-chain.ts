/**
 * What the AWS SDK finds by itself, as it does for every program on this machine: of variables, profiles, SSO, a container
 * or an instance's role. It is bundled apart, and no layer has it; what it throws is worded by aws-defaults.ts.
 * https://docs.aws.amazon.com/sdk-for-javascript/v3/developer-guide/setting-credentials-node.html
 */
import { STSClient } from "@aws-sdk/client-sts";
import { defaultProvider } from "@aws-sdk/credential-provider-node";

/** That of AWS_REGION, or of the profile. Rejects where there is none, or no such profile. */
export const findRegion = (): Promise<string> => new STSClient().config.region();

/** Looked for each time, in files as they are by now. `region` is for those that have to be fetched from AWS. */
export const findCredentials = (region: string) => defaultProvider({ clientConfig: { region }, ignoreCache: true })();
