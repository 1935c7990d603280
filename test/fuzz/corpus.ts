/** What the mutations start from: valid requests, and requests that have broken other servers. */
import { SECRET_NAME } from "../support/two-accounts.ts";
import type { LayerUnderTest } from "./layer.ts";

/** Longer than the server accepts anything. */
const LONG = "A".repeat(20_000);

/** How long is the body? https://portswigger.net/web-security/request-smuggling */
const TRANSFER_ENCODINGS = [
  "Transfer-Encoding: xchunked",
  "Transfer-Encoding : chunked",
  "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
  "Transfer-Encoding:\tchunked",
  "Transfer-Encoding\n: chunked",
  "X: X\nTransfer-Encoding: chunked",
  " Transfer-Encoding: chunked",
  "Transfer-Encoding: identity",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding: chunked, identity",
  "Transfer-Encoding:",
];
const CONTENT_LENGTHS = [
  "5, 5",
  "5\r\nContent-Length: 6",
  "+5",
  "-1",
  "0x5",
  "5 ",
  " 5",
  "05",
  "5;",
  "",
  "99999999999999999999",
  "4294967296",
  "1e1",
  "5\r\nContent-Length: 5",
];
const CHUNK_SIZES = [
  "5;ext=1",
  "5 ;a",
  "5\n",
  "0x5",
  "-5",
  "+5",
  " 5",
  "5_",
  "FFFFFFFFFFFFFFFF",
  "10000000000000005",
  `5;${"e".repeat(17_000)}`,
  "",
  "g",
];
const REQUEST_LINES = [
  "GET",
  "GET /",
  "GET / HTTP/9.9",
  "GET / HTTP/1.2",
  "GET / http/1.1",
  "GET  / HTTP/1.1",
  "GET\t/\tHTTP/1.1",
  "get /ping HTTP/1.1",
  "GET /ping",
  "FOO /ping HTTP/1.1",
  "GET /a b HTTP/1.1",
  "GET /\x01 HTTP/1.1",
  "GET /\xff HTTP/1.1",
  "GET /ping HTTP/1.1 ",
  "/ HTTP/1.1",
  "GET /ping HTTP/2.0",
  "GET /ping RTSP/1.0",
  "SOURCE /ping ICE/1.0",
  "GET /ping HTTP/01.1",
  "GET http://127.0.0.1/ping HTTP/1.1",
  "GET http://evil.example/secrets/x HTTP/1.1",
  "OPTIONS * HTTP/1.1",
  "TRACE /ping HTTP/1.1",
  `GET /${LONG} HTTP/1.1`,
  `${LONG} / HTTP/1.1`,
];

export function createCorpus({ port, token, secretArn, versionId }: LayerUnderTest): readonly string[] {
  const HOST = `Host: 127.0.0.1:${port}\r\n`;
  const TOKEN = `X-Aws-Parameters-Secrets-Token: ${token}\r\n`;
  const GET = `GET /secrets/${SECRET_NAME} HTTP/1.1\r\n${HOST}`;
  const POST = `POST /secrets/${SECRET_NAME}/invalid?versionId=${versionId} HTTP/1.1\r\n${HOST}${TOKEN}`;
  const RIGHT = `${GET}${TOKEN}\r\n`;
  const WRONG = `${GET}\r\n`;
  return [
    // Valid.
    ...[RIGHT, RIGHT, WRONG, `${POST}\r\n`, `GET /ping HTTP/1.1\r\n${HOST}\r\n`],
    `GET /stats HTTP/1.1\r\n${HOST}${TOKEN}\r\n`,
    `GET /secretsmanager/get?secretId=${SECRET_NAME} HTTP/1.1\r\n${HOST}${TOKEN}\r\n`,
    `GET /v1/${secretArn} HTTP/1.1\r\n${HOST}${TOKEN}\r\n`,
    // How long is the body?
    ...TRANSFER_ENCODINGS.map((line) => `${POST}${line}\r\n\r\n0\r\n\r\n${WRONG}`),
    ...CONTENT_LENGTHS.map((length) => `${POST}Content-Length: ${length}\r\n\r\nabcde${WRONG}`),
    ...CHUNK_SIZES.map((size) => `${POST}Transfer-Encoding: chunked\r\n\r\n${size}\r\nabcde\r\n0\r\n\r\n${WRONG}`),
    ...REQUEST_LINES.map((line) => `${line}\r\n${HOST}${TOKEN}\r\n`),
    `${POST}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG`,
    `${POST}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n${RIGHT}\r\n0\r\n\r\n`,
    `${POST}Transfer-Encoding: chunked\r\n\r\n5\r\nabcdeXX0\r\n\r\n${WRONG}`,
    `${POST}Transfer-Encoding: chunked\r\n\r\n0\r\nX-Aws-Parameters-Secrets-Token: ${token}\r\n\r\n${WRONG}`,
    `${GET}Transfer-Encoding: chunked\r\n\r\n0\r\n${TOKEN}\r\n`,
    `${GET}Trailer: X-Aws-Parameters-Secrets-Token\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n${TOKEN}\r\n`,
    // A request in the body of another, which must not be read as a request.
    `${GET}Content-Length: ${RIGHT.length}\r\n\r\n${RIGHT}`,
    `GET /x HTTP/1.1\r\n${HOST}Content-Length: 40\r\n\r\nGET /secrets/${SECRET_NAME} HTTP/1.1\r\n${TOKEN}\r\n`,
    // Line ends, folding, names, null bytes.
    RIGHT.replaceAll("\r\n", "\n"),
    RIGHT.replaceAll("\r\n", "\r"),
    RIGHT.replace("\r\n\r\n", "\n\n"),
    `${GET}X: y\r\n ${TOKEN}\r\n`,
    `${GET}X-Aws-Parameters-Secrets-Token:\r\n ${token}\r\n\r\n`,
    `${GET}X-Aws-Parameters-Secrets-Token : ${token}\r\n\r\n`,
    `${GET}X: \0\r\n${TOKEN}\r\n`,
    `${GET}X: y\rX-Aws-Parameters-Secrets-Token: ${token}\r\n\r\n`,
    `${GET}X: y\n${TOKEN}\r\n`,
    `${GET}: nameless\r\n${TOKEN}\r\n`,
    `${GET}colonless\r\n${TOKEN}\r\n`,
    `GET /secrets/${SECRET_NAME} HTTP/1.1\r\n ${HOST}${TOKEN}\r\n`,
    `\r\n\r\n${RIGHT}`,
    ` ${RIGHT}`,
    `\0${RIGHT}`,
    "\r\n".repeat(3_000),
    // Other protocols, and other uses of HTTP.
    "GET /ping\r\n",
    "GET /ping HTTP/1.0\r\n\r\n",
    `GET /secrets/${SECRET_NAME} HTTP/1.0\r\n${HOST}${TOKEN}Connection: keep-alive\r\n\r\n`,
    `CONNECT 127.0.0.1:${port} HTTP/1.1\r\n${HOST}\r\n`,
    `CONNECT evil.example:443 HTTP/1.1\r\n${HOST}${TOKEN}\r\n${RIGHT}`,
    `${GET}${TOKEN}Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc`,
    `${GET}${TOKEN}Expect: 200-ok\r\n\r\n`,
    `${GET}${TOKEN}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    `${GET}${TOKEN}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n`,
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
    "PROXY TCP4 10.0.0.1 127.0.0.1 5 6\r\n",
    "\r\n\r\n\0\r\nQUIT\n!\x11\n",
    `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok${RIGHT}`,
    // Headers that may hide others or themselves.
    `${GET}${TOKEN}${TOKEN}\r\n`,
    `${GET}${TOKEN}X-Vault-Token: wrong\r\n\r\n`,
    `${GET}${TOKEN}Host: evil.example\r\n\r\n`,
    `${GET}${TOKEN}X-Forwarded-For: 10.0.0.1\r\n\r\n`,
    `${GET}${TOKEN}${"A: b\r\n".repeat(2_100)}X-Forwarded-For: 10.0.0.1\r\n\r\n`,
    `${GET}${TOKEN}Connection: X-Aws-Parameters-Secrets-Token\r\n\r\n`,
    `${GET}${TOKEN}__proto__: x\r\nconstructor: y\r\n\r\n`,
    `${GET}X-Aws-Parameters-Secrets-Token: ${LONG}\r\n\r\n`,
    `${GET}${LONG}: x\r\n\r\n`,
    `${GET}${TOKEN}Connection: close\r\n\r\n${RIGHT}`,
    `GET /secrets/${"%41".repeat(3_500)} HTTP/1.1\r\n${HOST}${TOKEN}\r\n`,
  ];
}
