// The limit of a socket on Node.js: whatever comes goes back.
const { createServer } = process.getBuiltinModule("node:net");
const server = createServer({ noDelay: true }, (socket) => {
  socket.on("data", (chunk) => socket.write(chunk));
  socket.on("error", () => socket.destroy()); // whoever asked is gone
});
server.listen(Number(process.env.PORT), "127.0.0.1", () => console.log("listening"));
