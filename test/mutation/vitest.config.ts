import { defineConfig } from "vitest/config";

/**
 * The unit tests of the extension. Those of documents and of its other users are left out: some call the extension while
 * they are loaded, and StrykerJS would run every test for each change of what they call.
 */
export default defineConfig({
  test: {
    include: ["test/unit/**/*.test.ts"],
    exclude: ["test/unit/{cli,tools}/**", "test/unit/{architecture,readme,support,templates}.test.ts"],
    testTimeout: 5_000,
  },
});
