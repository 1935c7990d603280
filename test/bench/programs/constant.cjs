// The limit of a server on Node.js: `node:http` that gives every request the same answer and does not read the request.
const { createServer } = process.getBuiltinModule("node:http");
const { PORT, HEADERS, BODY } = process.env;
const headers = JSON.parse(String(HEADERS));
const body = Buffer.from(String(BODY));
const server = createServer((_, response) => {
  response.writeHead(200, headers);
  response.end(body);
});
server.listen(Number(PORT), "127.0.0.1", () => console.log("listening"));
