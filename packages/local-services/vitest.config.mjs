import { defineConfig } from 'vitest/config';

/** Real servers: one file at a time, because two cores are soon busy. */
export default defineConfig({
  test: { include: ['test/**/*.test.mjs'], fileParallelism: false, testTimeout: 60_000, hookTimeout: 60_000 },
});
