import { defineConfig } from "vitest/config";

/** One project per level of test; each test file's time limit says how long a person should have to wait for it. */
export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: 5_000 } },
      { test: { name: "integration", include: ["test/integration/**/*.test.ts"], testTimeout: 15_000 } },
      { test: { name: "layer", include: ["test/layer/**/*.test.ts"], testTimeout: 30_000 } },
      { test: { name: "conformance", include: ["test/conformance/**/*.test.ts"], testTimeout: 30_000 } },
      // Most of a fault is waiting, so that several files share a processor.
      {
        test: {
          name: "faults",
          include: ["test/faults/**/*.test.ts"],
          testTimeout: 30_000,
          maxWorkers: 4,
          sequence: { groupOrder: 1 },
        },
      },
      { test: { name: "e2e", include: ["test/e2e/**/*.test.ts"], testTimeout: 120_000, fileParallelism: false } },
      { test: { name: "release", include: ["test/release/**/*.test.ts"], testTimeout: 420_000 } },
    ],
  },
});
