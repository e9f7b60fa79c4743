import { defineConfig, type ViteUserConfig } from "vitest/config";

// Where the continuous integration wants the counts; vitest's own summary is printed all the same.
const report = process.env["ARBITER_TEST_REPORT"];

/** Shared by both groups: whole processes per file, so that no test sees another's state. */
const common = { pool: "forks", testTimeout: 20_000 } as const;

const config: ViteUserConfig = defineConfig({
  test: {
    ...(report === undefined ? {} : { reporters: ["default", "json"], outputFile: { json: report } }),
    projects: [
      {
        test: {
          ...common,
          name: "reckoned",
          // Ten crowded virtual worlds take seconds here, and half a minute beside somebody's build.
          testTimeout: 120_000,
          include: ["test/{unit,simulation,transcripts,fuzz}/**/*.test.ts"],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        // Real processes with leases of fractions of a second: one file at a time, and nothing else
        // beside it, or a busy machine would be tested instead of the program. What depends on a
        // machine that isn't ours alone may be tried once more; the summary shows it.
        test: {
          ...common,
          name: "real",
          include: ["test/{contract,processes,package,browser}/**/*.test.ts"],
          exclude: ["test/processes/chaos-*.test.ts"],
          hookTimeout: 60_000,
          retry: 1,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // Two holders at once are a defect however seldom they are seen: no second try.
        test: {
          ...common,
          name: "chaos",
          include: ["test/processes/chaos-*.test.ts"],
          hookTimeout: 60_000,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
export default config;
