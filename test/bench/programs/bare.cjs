// Node.js with nothing to do: what any Node.js process takes, whatever it is for.
setInterval(() => {}, 2 ** 30);
