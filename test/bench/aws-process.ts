/**
 * The process of `aws.ts`: STS and Secrets Manager that take almost no time. They check no signature, and every secret
 * exists. `aws.ts` starts the process, sets its delays, and takes its counts.
 */
import { createServer, type Socket } from "node:net";
import process from "node:process";
import type { AwsCounts, AwsDelays } from "./aws.ts";

const HOUR_MS = 3_600_000;
let delays: AwsDelays = { stsMs: 0, secretsManagerMs: 0 };
let counts: Record<string, number> = {};

const toAnswer = (type: string, body: string) =>
  `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nDate: ${new Date().toUTCString()}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

function toStsAnswer(operation: string): string {
  const expiration = new Date(Date.now() + HOUR_MS).toISOString();
  const arn = "arn:aws:sts::111111111111:assumed-role/SecretReader/bench";
  const result =
    operation === "AssumeRole"
      ? `<AssumedRoleUser><Arn>${arn}</Arn><AssumedRoleId>AROAEXAMPLE:bench</AssumedRoleId></AssumedRoleUser><Credentials><AccessKeyId>ASIAEXAMPLEOFTHEROLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>${"token".repeat(80)}</SessionToken><Expiration>${expiration}</Expiration></Credentials>`
      : `<Arn>${arn}</Arn><UserId>AROAEXAMPLE:bench</UserId><Account>111111111111</Account>`;
  const body = `<${operation}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${operation}Result>${result}</${operation}Result><ResponseMetadata><RequestId>11111111-2222-3333-4444-555555555555</RequestId></ResponseMetadata></${operation}Response>`;
  return toAnswer("text/xml", body);
}

const VersionId = "11111111-2222-3333-4444-555555555555";
/** The part of DescribeSecret's answer that AWS's agent needs. Readers of GetSecretValue's answer ignore it. */
const DESCRIBED = { VersionIdsToStages: { [VersionId]: ["AWSCURRENT"] } };

function toSecretsManagerAnswer(body: string): string {
  const { SecretId: Name } = JSON.parse(body);
  const ARN = `arn:aws:secretsmanager:eu-west-1:111111111111:secret:${Name}-AbCdEf`;
  const SecretString = JSON.stringify({ username: "app", password: "correct horse battery staple" });
  const secret = {
    ARN,
    Name,
    VersionId,
    SecretString,
    VersionStages: ["AWSCURRENT"],
    ...DESCRIBED,
    CreatedDate: 1_767_225_600.123,
  };
  return toAnswer("application/x-amz-json-1.1", JSON.stringify(secret));
}

function serve(socket: Socket, head: string, body: string): void {
  const target = /^x-amz-target: *secretsmanager\.(\w+)/im.exec(head)?.[1];
  const operation = target ?? /\bAction=(\w+)/.exec(body)?.[1] ?? "unknown";
  counts[operation] = (counts[operation] ?? 0) + 1;
  const answer = target === undefined ? toStsAnswer(operation) : toSecretsManagerAnswer(body);
  const delayMs = target === undefined ? delays.stsMs : delays.secretsManagerMs;
  if (delayMs === 0) socket.write(answer);
  else setTimeout(() => socket.write(answer), delayMs);
}

const server = createServer({ noDelay: true }, (socket) => {
  let received = "";
  socket.on("error", () => socket.destroy()); // the process of the other side has ended
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
    for (;;) {
      const headEnd = received.indexOf("\r\n\r\n");
      if (headEnd < 0) return;
      const head = received.slice(0, headEnd);
      const end = headEnd + 4 + Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
      if (received.length < end) return;
      serve(socket, head, received.slice(headEnd + 4, end));
      received = received.slice(end);
    }
  });
});
server.listen(0, "127.0.0.1", () => process.send?.(server.address()));
process.on("message", (wanted: AwsDelays | "take counts") => {
  if (wanted === "take counts") {
    process.send?.(counts satisfies AwsCounts);
    counts = {};
  } else {
    delays = wanted;
    process.send?.("done");
  }
});
process.once("disconnect", () => process.exit());
