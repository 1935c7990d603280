// The code of common guides, without an extension: it assumes the role and reads the secret each time the secret is needed.
import { env } from "node:process";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";

async function getKeys() {
  const role = { RoleArn: env.CROSS_ACCOUNT_SECRETS_ROLE_ARN, RoleSessionName: "function" };
  const { Credentials: session } = await new STSClient().send(new AssumeRoleCommand(role));
  const credentials = {
    accessKeyId: session?.AccessKeyId ?? "",
    secretAccessKey: session?.SecretAccessKey ?? "",
    sessionToken: session?.SessionToken ?? "",
  };
  const command = new GetSecretValueCommand({ SecretId: env.SECRET_NAME });
  const { SecretString = "" } = await new SecretsManagerClient({ credentials }).send(command);
  return Object.keys(JSON.parse(SecretString));
}

const init = await getKeys();

export async function handler() {
  return { init, handler: await getKeys() };
}
