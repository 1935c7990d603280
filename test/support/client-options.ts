import type { ClientOptions } from "../../extension/aws/client.ts";

/** What a call to AWS is made with in the tests of the SDK, whole or bundled. */
export const toClientOptions = (overrides: Partial<ClientOptions> = {}): ClientOptions => ({
  region: "eu-west-1",
  credentials: { accessKeyId: "ASIAOURS", secretAccessKey: "our-key", sessionToken: "our-token" },
  endpoint: undefined,
  useFipsEndpoint: false,
  useDualstackEndpoint: false,
  version: "1.2.3",
  ...overrides,
});
