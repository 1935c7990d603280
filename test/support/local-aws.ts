/** A local server in place of AWS, and a machine whose settings must not reach the SDK: for tests of the real SDK. */
import dns from "node:dns";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, RequestListener } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, onTestFinished, vi } from "vitest";
import { startLocalServer } from "./local-server.ts";

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** Starts an AWS on 127.0.0.1. Also returns the requests and the connections that it has received. */
export async function startLocalAws(listener: RequestListener) {
  const seen: Seen[] = [];
  const sockets: Socket[] = [];
  const { server, url } = await startLocalServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      body += chunk;
    });
    request.on("end", () => {
      seen.push({ method: request.method, url: request.url, headers: request.headers, body });
      listener(request, response);
    });
  });
  server.on("connection", (socket) => sockets.push(socket));
  return { url, server, seen, sockets };
}

/** Resolves when the socket is closed, by either side. */
export async function isClosed(socket: Socket): Promise<void> {
  if (!socket.destroyed) await new Promise((resolve) => socket.once("close", resolve));
}

/** How far the clock that signed each request was ahead of this machine's clock. */
export const toClockLeadsMs = (seen: readonly Seen[]): readonly number[] =>
  seen.map(({ headers }) => {
    // `20260101T000000Z`
    const amzDate = String(headers["x-amz-date"]);
    return Date.parse(amzDate.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z")) - Date.now();
  });

/** Makes every host name unknown, so that no test uses the network. Returns the names that were looked up. */
export function mockLookup(): () => readonly unknown[] {
  const lookup = vi.spyOn(dns, "lookup").mockImplementation(((...args: readonly unknown[]) => {
    const callback = args.at(-1) as (error: Error) => void;
    callback(Object.assign(new Error("no such name"), { code: "ENOTFOUND" }));
  }) as typeof dns.lookup);
  return () => lookup.mock.calls.map(([name]) => name);
}

const HOSTILE_ENVIRONMENT = {
  AWS_PROFILE: "evil",
  AWS_REGION: "us-gov-west-1",
  AWS_DEFAULT_REGION: "us-gov-west-1",
  AWS_ACCESS_KEY_ID: "ASIAEVIL",
  AWS_SECRET_ACCESS_KEY: "evil",
  AWS_SESSION_TOKEN: "evil",
  AWS_DEFAULTS_MODE: "typo",
  AWS_MAX_ATTEMPTS: "many",
  AWS_RETRY_MODE: "typo",
  AWS_USE_FIPS_ENDPOINT: "typo",
  AWS_USE_DUALSTACK_ENDPOINT: "typo",
  AWS_AUTH_SCHEME_PREFERENCE: "sigv4a",
  AWS_SIGV4A_SIGNING_REGION_SET: "*",
  AWS_ACCOUNT_ID_ENDPOINT_MODE: "typo",
  AWS_SDK_UA_APP_ID: "evil",
  AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "typo",
  AWS_ENABLE_DEFAULT_SOCKET_TIMEOUT_2026: "typo",
  AWS_DISABLE_CLOCK_SKEW_CORRECTION: "true",
};

/** Sets hostile variables for each test of a file: the SDK keeps what it has read once for the life of the process. */
export function setHostileEnvironment(): void {
  beforeEach(() => {
    for (const [name, value] of Object.entries(HOSTILE_ENVIRONMENT)) vi.stubEnv(name, value);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });
}

/** Makes a home folder whose ~/.aws sets every option that it can to something else. */
export function createHostileHome(url: string): string {
  const home = mkdtempSync(join(tmpdir(), "hostile-home-"));
  onTestFinished(() => rmSync(home, { recursive: true }));
  const settings = [
    `endpoint_url = ${url}`,
    "region = us-gov-west-1",
    "max_attempts = many",
    "retry_mode = typo",
    "defaults_mode = typo",
    "use_fips_endpoint = typo",
    "use_dualstack_endpoint = typo",
    "auth_scheme_preference = sigv4a",
    "sigv4a_signing_region_set = *",
    "sdk_ua_app_id = evil",
    "disable_clock_skew_correction = true",
    "aws_access_key_id = ASIAEVIL",
    "aws_secret_access_key = evil",
  ].join("\n");
  mkdirSync(join(home, ".aws"));
  writeFileSync(join(home, ".aws", "config"), `[default]\n${settings}\n[profile evil]\n${settings}\n`);
  writeFileSync(join(home, ".aws", "credentials"), `[default]\n${settings}\n[evil]\n${settings}\n`);
  return home;
}
