// Node.js with nothing to do: the memory that every Node.js process takes.
setInterval(() => {}, 2 ** 30);
