/** What can be wrong on the way to AWS: credentials, the clock, a region, the network. No policy is at fault. */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { createCertificate } from "../support/certificate.ts";
import { findFreePort } from "../support/free-port.ts";
import { type Misconfiguration, misconfiguration } from "../support/misconfigurations.ts";
import { allow, toPolicy, trust } from "../support/policy-documents.ts";
import { startFront } from "../support/tcp-front.ts";
import {
  FUNCTION_ROLE_ARN,
  REGION,
  TARGET_ROLE_ARN,
  type TwoAccounts,
  toFunctionEnvironment,
} from "../support/two-accounts.ts";

const MINUTE_MS = 60_000;
/** That of the init: as long as Parameter Store may take. */
const LONGEST_FETCH_MS = 2_500;

/** The variables of a new execution environment. */
const withNewSession = ({ aws }: TwoAccounts) =>
  toFunctionEnvironment(aws.issueSession({ roleArn: FUNCTION_ROLE_ARN }), aws.url);

/** AWS's clock, as a machine sees it whose own stands still for minutes between any two looks, until somebody sets it. */
function createDriftingClock() {
  let [aheadMs, stepMs] = [0, 20 * MINUTE_MS];
  return {
    now() {
      aheadMs += stepMs;
      return Date.now() + aheadMs;
    },
    set() {
      stepMs = 0;
    },
  };
}

const clock = createDriftingClock();

const others: Misconfiguration[] = [
  {
    name: "STS is not activated in the region, in Account A",
    change: ({ aws }) => aws.changeAccount("111111111111", { regionsWithoutSts: [REGION] }),
    cause: "region-disabled",
    tells: [`enable the region ${REGION} for STS in the account of ${TARGET_ROLE_ARN}`],
    mend: ({ aws }) => aws.changeAccount("111111111111", { regionsWithoutSts: [] }),
  },
  {
    name: "the function's credentials are over",
    environment: ({ aws }) =>
      toFunctionEnvironment(aws.issueSession({ roleArn: FUNCTION_ROLE_ARN, durationSeconds: 0 }), aws.url),
    cause: "credentials-expired",
    tells: ["a new execution environment has new ones"],
    mend: () => {},
    newEnvironment: withNewSession,
  },
  {
    name: "the function's role was created anew, and its credentials are those of the old one",
    change({ aws }) {
      aws.deleteRole(FUNCTION_ROLE_ARN);
      aws.createRole({ arn: FUNCTION_ROLE_ARN, policies: [toPolicy(allow("sts:AssumeRole", TARGET_ROLE_ARN))] });
      aws.changeRole(TARGET_ROLE_ARN, { trustPolicy: toPolicy(trust(FUNCTION_ROLE_ARN, "sts:AssumeRole")) });
    },
    cause: "credentials-invalid",
    tells: ["a new execution environment has new ones", `the region ${REGION} is not enabled in their account`],
    mend: () => {},
    newEnvironment: withNewSession,
  },
  {
    name: "the secret access key is another's",
    environment: { AWS_SECRET_ACCESS_KEY: "a-key-of-somebody-else" },
    cause: "signature-invalid",
    tells: ["check the secret access key"],
    mend: () => {},
    newEnvironment: {},
  },
  {
    name: "the clock of the machine does not go",
    now: clock.now,
    cause: "clock-skewed",
    tells: ["set the clock of this machine"],
    mend: clock.set,
  },
];

const services = [
  { name: "the way to STS", operation: "AssumeRole", endpoint: "AWS_ENDPOINT_URL_STS" },
  { name: "the way to Secrets Manager", operation: "GetSecretValue", endpoint: "AWS_ENDPOINT_URL_SECRETS_MANAGER" },
] as const;

const ROUTE = [
  "NAT gateway",
  `two interface endpoints with private DNS names, for sts and secretsmanager in ${REGION}`,
];

/** Nobody listens at that port, until somebody does. */
async function toUnreachable(endpoint: string): Promise<Misconfiguration> {
  const port = await findFreePort();
  return {
    name: "nobody listens at the endpoint",
    environment: { [endpoint]: `http://127.0.0.1:${port}` },
    cause: "unreachable",
    tells: ROUTE,
    mend: ({ aws }) => startFront(() => aws.url, undefined, port),
  };
}

/** A proxy opens the connection, and shows a certificate of its own. */
function toUntrusted(endpoint: string): Misconfiguration {
  const certificate = createCertificate("proxy");
  let url = "";
  return {
    name: "something on the way shows a certificate of its own",
    async environment({ aws }) {
      ({ url } = await startFront(() => aws.url, certificate));
      return { [endpoint]: url };
    },
    cause: "unreachable",
    tells: ["NODE_EXTRA_CA_CERTS"],
    mend: () => {},
    newEnvironment() {
      const folder = mkdtempSync(join(tmpdir(), "authority-"));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      const authority = join(folder, "proxy.pem");
      writeFileSync(authority, certificate.cert);
      return { [endpoint]: url, NODE_EXTRA_CA_CERTS: authority };
    },
  };
}

/** A page in AWS's place. */
function toPage(endpoint: string, status: number): Misconfiguration {
  return {
    name: `something else answers, ${status} and a page`,
    async environment() {
      const server = createServer((_, response) => {
        response.writeHead(status, { "Content-Type": "text/html" }).end("<html><body>Please sign in.</body></html>");
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      onTestFinished(() => void server.close().closeAllConnections());
      return { [endpoint]: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
    },
    cause: "aws-response-invalid",
    tells: ["look at AWS_ENDPOINT_URL…, at a proxy"],
    mend: () => {},
    newEnvironment: {},
  };
}

for (const row of others) misconfiguration("credentials, clock, region", row);
for (const { name, operation, endpoint } of services) {
  const rows: Misconfiguration[] = [
    {
      name: "AWS throttles",
      change: ({ aws }) => aws.fault(operation, { kind: "throttle" }),
      cause: "throttled",
      tells: ["a longer TTL"],
      mend: ({ aws }) => aws.heal(),
    },
    await toUnreachable(endpoint),
    {
      name: "whatever is sent to the endpoint is lost",
      change: ({ aws }) => aws.fault(operation, { kind: "hang" }),
      environment: { CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: "600" },
      cause: "timeout",
      tells: ROUTE,
      async mend({ aws }) {
        aws.heal();
        // What is under way then, nobody answers.
        await delay(LONGEST_FETCH_MS);
      },
    },
    toUntrusted(endpoint),
    toPage(endpoint, 200),
    toPage(endpoint, 403),
  ];
  for (const row of rows) misconfiguration(name, row);
}
