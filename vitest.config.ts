import { accessSync, constants, statfsSync } from "node:fs";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Whose verdict hangs on time or memory, that fill a disk or start thirty programs at once: one file after another, with the machine to itself. */
const ALONE = [
  "test/integration/{doctor,flood,kills,live,live-copies,live-source,office,office-transfers,scenarios-media,scenarios-setup,disk-full}.test.ts",
  "test/fuzz/sip-cost.test.ts",
];
/** Programs, in namespaces and on ports of their own, which mostly wait: two at a time, when the rest is done. */
const PROGRAMS = ["test/integration/**/*.test.ts"];
const TIMEOUT_MS = 30_000;
/** They start other programs, beside others that do: what hangs is found all the same. */
const PROGRAMS_TIMEOUT_MS = 90_000;

/** Bounds what hangs; a loaded machine may take more than vitest's second. */
const EXPECT = { poll: { timeout: 15_000 } };

const GIGABYTE = 1024 ** 3;
const MEMORY_FOLDER = "/dev/shm";

/**
 * Temporary files of what is about content and not about disks go to memory, where there is room for them: a sync costs
 * nothing there. Which steps are synced, and in which order, is tested step by step, not by waiting for a disk.
 */
function temporaryFolder(): Record<string, string> {
  try {
    accessSync(MEMORY_FOLDER, constants.W_OK);
    const { bavail, bsize } = statfsSync(MEMORY_FOLDER);
    return bavail * bsize >= 4 * GIGABYTE ? { TMPDIR: MEMORY_FOLDER } : {};
  } catch {
    return {};
  }
}

/** Half a minute and more: begun last, they would be waited for with nothing beside them. */
const LONG = [
  "property/consent-model",
  "unit/flood",
  "integration/api-listing",
  "integration/consent-leaks",
  "integration/box",
  "integration/mqtt-outage",
  "integration/pull-kills",
  "integration/replay",
  "integration/retention",
  "integration/copies",
].map((name) => `/test/${name}.test.ts`);

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification): boolean => LONG.some((name) => moduleId.endsWith(name));
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongFirst },
    projects: [
      {
        test: {
          name: "side by side",
          include: ["test/**/*.test.ts"],
          exclude: [...PROGRAMS, ...ALONE],
          env: temporaryFolder(),
          testTimeout: TIMEOUT_MS,
          expect: EXPECT,
          hookTimeout: TIMEOUT_MS,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "two at a time",
          include: PROGRAMS,
          exclude: ALONE,
          testTimeout: PROGRAMS_TIMEOUT_MS,
          expect: EXPECT,
          hookTimeout: PROGRAMS_TIMEOUT_MS,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "alone",
          include: ALONE,
          testTimeout: PROGRAMS_TIMEOUT_MS,
          expect: EXPECT,
          hookTimeout: PROGRAMS_TIMEOUT_MS,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
