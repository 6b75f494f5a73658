import { fileURLToPath } from 'node:url';
import swc from 'unplugin-swc';
import { defineConfig } from 'vitest/config';

/**
 * esbuild, vitest's own compiler, does not emit the types decorators need for dependency injection; SWC does.
 * One file at a time: each has a database and an application of its own, and two cores are soon busy.
 */
export default defineConfig({
  plugins: [swc.vite({ module: { type: 'nodenext' } })],
  oxc: false,
  // Vite would take graphql's ES modules, Node takes its CommonJS build; a schema must not be made of both.
  resolve: { alias: [{ find: /^graphql$/, replacement: fileURLToPath(import.meta.resolve('graphql')) }] },
  test: {
    include: ['test/**/*.test.ts', 'src/**/*.test.ts'],
    globalSetup: ['test/services.ts'],
    fileParallelism: false,
    testTimeout: 30_000,
    hookTimeout: 120_000,
  },
});
