import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    // Integration tests start processes and network namespaces: files run one after another.
    fileParallelism: false,
  },
});
