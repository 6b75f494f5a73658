import { defineConfig } from 'vitest/config';

/** Tests of the start and test scripts themselves; what they start is tested in e2e/. */
export default defineConfig({ test: { include: ['test/**/*.test.mjs'], testTimeout: 20_000 } });
