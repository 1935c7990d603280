import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:tls";

export interface TlsFront {
  readonly port: number;
  /** The certificate of the authority that signed the server's certificate, in PEM. */
  readonly authority: string;
  close(): void;
}

/** Accepts TLS connections for these names, and forwards them to a server without TLS. Needs openssl 3 for certificates. */
export async function startTlsFront(names: readonly string[], toUrl: () => string): Promise<TlsFront> {
  const { key, cert, authority } = makeCertificate(names);
  const server = createServer({ key, cert }, (outside) => {
    const { hostname, port } = new URL(toUrl());
    const inside = connect(Number(port), hostname);
    outside.pipe(inside).pipe(outside);
    // When one side closes, the other is closed too. The client reports the reason.
    for (const [one, other] of [
      [outside, inside],
      [inside, outside],
    ] as const) {
      one.on("error", () => other.destroy()).on("close", () => other.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, authority, close: () => void server.close() };
}

function makeCertificate(names: readonly string[]): { key: string; cert: string; authority: string } {
  const folder = mkdtempSync(join(tmpdir(), "tls-"));
  const read = (file: string) => readFileSync(join(folder, file), "utf8");
  const request = (name: string, ...options: string[]) => {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", `${name}.key`];
    const args = ["req", "-x509", ...key, "-out", `${name}.pem`, "-days", "2", "-subj", `/CN=${name}`, ...options];
    execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  };
  try {
    request("authority");
    const subjects = `subjectAltName=${names.map((name) => `DNS:${name}`).join(",")}`;
    const signed = ["-CA", "authority.pem", "-CAkey", "authority.key"];
    request("server", ...signed, "-addext", subjects, "-addext", "basicConstraints=critical,CA:FALSE");
    return { key: read("server.key"), cert: read("server.pem"), authority: read("authority.pem") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
