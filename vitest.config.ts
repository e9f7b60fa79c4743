import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: {
    pool: "forks",
    include: ["test/**/*.test.ts"],
    testTimeout: 20_000,
    // Two cores: process tests must not starve each other into false time-outs.
    maxWorkers: 2,
  },
});
export default config;
