import { generateKeyPairSync, sign } from "node:crypto";

/** A key and its certificate, in PEM. */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

const DAY_MS = 86_400_000;

/**
 * Makes a self-signed certificate for 127.0.0.1 and these host names, valid from yesterday until tomorrow. Node has no function
 * that makes certificates.
 */
export function createCertificate(name: string, hosts: readonly string[] = []): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = sequence(toOid("2a8648ce3d040302")); // ecdsa-with-SHA256
  const subject = sequence(der(0x31, sequence(toOid("550403"), der(0x0c, Buffer.from(name)))));
  const dnsNames = hosts.map((host) => der(0x82, Buffer.from(host)));
  const alternativeNames = sequence(der(0x87, Buffer.from([127, 0, 0, 1])), ...dnsNames);
  // RFC 5280, 4.1
  const content = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    algorithm,
    subject,
    sequence(toTime(Date.now() - DAY_MS), toTime(Date.now() + DAY_MS)),
    subject,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(sequence(toOid("551d11"), der(0x04, alternativeNames)))),
  );
  const signature = der(0x03, Buffer.concat([Buffer.from([0]), sign("sha256", content, privateKey)]));
  const base64 = sequence(content, algorithm, signature).toString("base64");
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    // PEM has at most 64 characters in a line, and no empty line.
    cert: `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{1,64}/g, "$&\n")}-----END CERTIFICATE-----\n`,
  };
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const size = content.length;
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

const sequence = (...parts: readonly Buffer[]) => der(0x30, ...parts);
const toOid = (hex: string) => der(0x06, Buffer.from(hex, "hex"));
const toTime = (epochMs: number) => {
  const digits = new Date(epochMs).toISOString().replace(/[-:T]|\.\d{3}/g, "");
  return der(0x17, Buffer.from(digits.slice(2)));
};
