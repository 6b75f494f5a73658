import { defineConfig } from 'vitest/config';

/** One stack for all files, one file at a time: the last ones kill its processes. */
export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: ['setup/stack.ts'],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 180_000,
    // A test that passes at the second attempt hides a fault that users meet at the first.
    retry: 0,
  },
});
