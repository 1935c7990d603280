import { defineConfig } from "vitest/config";

/**
 * The unit tests of the extension. The tests of documents, and of other code that uses the extension, are left out: some of
 * them call the extension while they are loaded. StrykerJS would run all their tests for each change of what they call.
 */
export default defineConfig({
  test: {
    include: ["test/unit/**/*.test.ts"],
    exclude: ["test/unit/{cli,tools}/**", "test/unit/{architecture,readme,support,templates}.test.ts"],
    testTimeout: 5_000,
  },
});
