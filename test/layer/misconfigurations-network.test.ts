/** Mistakes on the way to AWS, with correct policies: credentials, the clock, a region, the network. */
import { setTimeout as delay } from "node:timers/promises";
import { createCertificate } from "../support/certificate.ts";
import { findFreePort } from "../support/free-port.ts";
import { startLocalServer } from "../support/local-server.ts";
import { type Misconfiguration, misconfiguration } from "../support/misconfigurations.ts";
import { allow, toPolicy, trust } from "../support/policy-documents.ts";
import { startFront } from "../support/tcp-front.ts";
import { writeTempFile } from "../support/temp-files.ts";
import {
  FUNCTION_ROLE_ARN,
  REGION,
  TARGET_ACCOUNT,
  TARGET_ROLE_ARN,
  type TwoAccounts,
  toFunctionEnvironment,
} from "../support/two-accounts.ts";

const MINUTE_MS = 60_000;
/** The longest time limit of a fetch in init, which is the one for Parameter Store. */
const LONGEST_FETCH_MS = 2_500;

/** The variables of a new execution environment. */
const withNewSession = ({ aws }: TwoAccounts) =>
  toFunctionEnvironment(aws.issueSession({ roleArn: FUNCTION_ROLE_ARN }), aws.url);

/** AWS's clock for a machine whose own clock loses 20 minutes between any two readings, until it is set. */
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

const otherRows: Misconfiguration[] = [
  {
    name: "STS is not activated in the region, in Account A",
    change: ({ aws }) => aws.changeAccount(TARGET_ACCOUNT, { regionsWithoutSts: [REGION] }),
    cause: "region-disabled",
    tells: [`enable the region ${REGION} for STS in the account of ${TARGET_ROLE_ARN}`],
    repair: ({ aws }) => aws.changeAccount(TARGET_ACCOUNT, { regionsWithoutSts: [] }),
  },
  {
    name: "the function's credentials have expired",
    environment: ({ aws }) =>
      toFunctionEnvironment(aws.issueSession({ roleArn: FUNCTION_ROLE_ARN, durationSeconds: 0 }), aws.url),
    cause: "credentials-expired",
    tells: ["a new execution environment has new ones"],
    repair: () => {},
    newEnvironment: withNewSession,
  },
  {
    name: "the function's role was created again, and its credentials are from the old role",
    change({ aws }) {
      aws.deleteRole(FUNCTION_ROLE_ARN);
      aws.createRole({ arn: FUNCTION_ROLE_ARN, policies: [toPolicy(allow("sts:AssumeRole", TARGET_ROLE_ARN))] });
      aws.changeRole(TARGET_ROLE_ARN, { trustPolicy: toPolicy(trust(FUNCTION_ROLE_ARN, "sts:AssumeRole")) });
    },
    cause: "credentials-invalid",
    tells: ["a new execution environment has new ones", `the region ${REGION} is not enabled in their account`],
    repair: () => {},
    newEnvironment: withNewSession,
  },
  {
    name: "the secret access key belongs to other credentials",
    environment: { AWS_SECRET_ACCESS_KEY: "a-key-of-other-credentials" },
    cause: "signature-invalid",
    tells: ["check the secret access key"],
    repair: () => {},
    newEnvironment: {},
  },
  {
    name: "the endpoint of STS is of another region than AWS_REGION",
    regions: [REGION],
    environment: { AWS_REGION: "eu-west-9", CROSS_ACCOUNT_SECRETS_REGION: REGION },
    cause: "endpoint-mismatch",
    tells: ["AWS_REGION", "AWS_ENDPOINT_URL_STS", "eu-west-9"],
    repair: () => {},
    newEnvironment: {},
  },
  {
    name: "REGION is not a region",
    regions: [REGION],
    environment: { CROSS_ACCOUNT_SECRETS_REGION: "eu-west-9" },
    cause: "endpoint-mismatch",
    tells: ["CROSS_ACCOUNT_SECRETS_REGION", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "eu-west-9"],
    repair: () => {},
    newEnvironment: {},
  },
  {
    name: "the clock of the machine does not keep time",
    now: clock.now,
    cause: "clock-skewed",
    tells: ["set the clock of this machine"],
    repair: clock.set,
  },
];

const services = [
  { name: "network path to STS", operation: "AssumeRole", endpoint: "AWS_ENDPOINT_URL_STS" },
  {
    name: "network path to Secrets Manager",
    operation: "GetSecretValue",
    endpoint: "AWS_ENDPOINT_URL_SECRETS_MANAGER",
  },
] as const;

const ROUTE = [
  "NAT gateway",
  `two interface endpoints with private DNS names, for sts and secretsmanager in ${REGION}`,
];

/** Nothing listens on the port of the endpoint until the repair. */
async function toUnreachable(endpoint: string): Promise<Misconfiguration> {
  const port = await findFreePort();
  return {
    name: "nothing listens at the endpoint",
    environment: { [endpoint]: `http://127.0.0.1:${port}` },
    cause: "unreachable",
    tells: ROUTE,
    repair: ({ aws }) => startFront(() => aws.url, undefined, port),
  };
}

/** A proxy opens the TLS connection with its own certificate. */
function toUntrusted(endpoint: string): Misconfiguration {
  const certificate = createCertificate("proxy");
  let url = "";
  return {
    name: "a proxy presents its own certificate",
    async environment({ aws }) {
      ({ url } = await startFront(() => aws.url, certificate));
      return { [endpoint]: url };
    },
    cause: "unreachable",
    tells: ["NODE_EXTRA_CA_CERTS"],
    repair: () => {},
    newEnvironment: () => ({ [endpoint]: url, NODE_EXTRA_CA_CERTS: writeTempFile(certificate.cert) }),
  };
}

/** A server at the endpoint answers with an HTML page. */
function toPage(endpoint: string, status: number): Misconfiguration {
  return {
    name: `a server that is not AWS answers with status ${status} and a page`,
    async environment() {
      const { url } = await startLocalServer((_, response) => {
        response.writeHead(status, { "Content-Type": "text/html" }).end("<html><body>Please sign in.</body></html>");
      });
      return { [endpoint]: url };
    },
    cause: "aws-response-invalid",
    tells: ["check AWS_ENDPOINT_URL…, any proxy"],
    repair: () => {},
    newEnvironment: {},
  };
}

for (const row of otherRows) misconfiguration("credentials, clock, region", row);
for (const { name, operation, endpoint } of services) {
  const rows: Misconfiguration[] = [
    {
      name: "AWS throttles",
      change: ({ aws }) => aws.fault(operation, { kind: "throttle" }),
      cause: "throttled",
      tells: ["a longer TTL"],
      repair: ({ aws }) => aws.heal(),
    },
    await toUnreachable(endpoint),
    {
      name: "the endpoint never answers",
      change: ({ aws }) => aws.fault(operation, { kind: "hang" }),
      environment: { CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: "600" },
      cause: "timeout",
      tells: ROUTE,
      async repair({ aws }) {
        aws.heal();
        // Calls that are under way get no answer.
        await delay(LONGEST_FETCH_MS);
      },
    },
    toUntrusted(endpoint),
    toPage(endpoint, 200),
    toPage(endpoint, 403),
  ];
  for (const row of rows) misconfiguration(name, row);
}
