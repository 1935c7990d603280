// The limit of a socket on Node.js: it sends back what it receives.
const { createServer } = process.getBuiltinModule("node:net");
const server = createServer({ noDelay: true }, (socket) => {
  socket.on("data", (chunk) => socket.write(chunk));
  socket.on("error", () => socket.destroy()); // the client has closed the connection
});
server.listen(Number(process.env.PORT), "127.0.0.1", () => console.log("listening"));
