import { defineConfig } from 'vitest/config';

const CLEAN_CLONE = 'tests/clean-clone.test.ts';

/** One stack for all files but the clean clone, which starts its own; one file at a time: the last ones kill its processes. */
export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: { name: 'stack', include: ['tests/**/*.test.ts'], exclude: [CLEAN_CLONE], globalSetup: ['setup/stack.ts'] },
      },
      { extends: true, test: { name: 'clean-clone', include: [CLEAN_CLONE] } },
    ],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 180_000,
    // A test that passes at the second attempt hides a fault that users meet at the first.
    retry: 0,
  },
});
