/* Says in one line that this Node.js is too old. Any Node.js can read this file. */
const OLDEST = "20.19"; // as in package.json

const [major = 0, minor = 0] = OLDEST.split(".").map(Number);
const [ownMajor = 0, ownMinor = 0] = process.versions.node.split(".").map(Number);
if (ownMajor < major || (ownMajor === major && ownMinor < minor)) {
  console.error(`cross-account-secrets needs Node.js ${OLDEST} or newer; this is ${process.versions.node}`);
  process.exit(2);
}
