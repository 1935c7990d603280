// The floor: the least that a Node.js extension does, with `node:net` alone. It registers, asks for its first event, and stays.
const { connect } = process.getBuiltinModule("node:net");

const [host, port] = String(process.env.AWS_LAMBDA_RUNTIME_API).split(":");
const toRequest = (/** @type {string} */ head) => `${head}\r\nHost: ${host}:${port}\r\n`;
const body = '{"events":["SHUTDOWN"]}';
const register = `${toRequest("POST /2020-01-01/extension/register HTTP/1.1")}Lambda-Extension-Name: cross-account-secrets\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

let answer = "";
const socket = connect(Number(port), host, () => socket.write(register));
socket.setEncoding("latin1");
socket.on("data", (text) => {
  answer += text;
  const identifier = /lambda-extension-identifier: *(\S+)/i.exec(answer)?.[1];
  if (identifier === undefined || !answer.includes("\r\n\r\n")) return;
  socket.removeAllListeners("data");
  const next = toRequest("GET /2020-01-01/extension/event/next HTTP/1.1");
  socket.write(`${next}Lambda-Extension-Identifier: ${identifier}\r\n\r\n`);
});
