import { defineConfig } from 'vitest/config';

/** Files run one after the other: each has its own Redis and some start whole runner processes. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
