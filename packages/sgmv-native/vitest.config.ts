import { defineConfig } from 'vitest/config';

// One file at a time: every engine uses all cores, and two at once would only make each other's times long.
export default defineConfig({
  test: { include: ['test/**/*.test.ts'], fileParallelism: false, testTimeout: 120_000, hookTimeout: 60_000 },
});
