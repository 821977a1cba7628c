import { defineConfig } from "vitest/config";

/** Programs, namespaces, interfaces, and what measures time: one file after another, with the machine to itself. */
const ALONE = ["test/integration/**/*.test.ts", "test/fuzz/**/*.test.ts", "test/unit/flood.test.ts"];
const TIMEOUT_MS = 30_000;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "side by side",
          include: ["test/**/*.test.ts"],
          exclude: ALONE,
          testTimeout: TIMEOUT_MS,
          hookTimeout: TIMEOUT_MS,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "alone",
          include: ALONE,
          testTimeout: TIMEOUT_MS,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
