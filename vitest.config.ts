import { defineConfig, type ViteUserConfig } from "vitest/config";

// Where the continuous integration wants the counts; vitest's own summary is printed all the same.
const report = process.env["ARBITER_TEST_REPORT"];

const config: ViteUserConfig = defineConfig({
  test: {
    pool: "forks",
    include: ["test/**/*.test.ts"],
    testTimeout: 20_000,
    // Two cores: process tests must not starve each other into false time-outs.
    maxWorkers: 2,
    ...(report === undefined ? {} : { reporters: ["default", "json"], outputFile: { json: report } }),
  },
});
export default config;
