import { fileURLToPath } from 'node:url';
import swc from 'unplugin-swc';
import { defineConfig } from 'vitest/config';

/**
 * esbuild, vitest's own compiler, does not emit the types decorators need for dependency injection; SWC does.
 *
 * Every application has a database, a Redis and a port of its own, so that files run side by side. Those of one worker
 * share what they have loaded: loading the application takes longer than most files.
 */
export default defineConfig({
  plugins: [swc.vite({ module: { type: 'nodenext' } })],
  oxc: false,
  // Vite would take graphql's ES modules, Node takes its CommonJS build; a schema must not be made of both.
  resolve: { alias: [{ find: /^graphql$/, replacement: fileURLToPath(import.meta.resolve('graphql')) }] },
  test: {
    include: ['test/**/*.test.ts', 'src/**/*.test.ts'],
    globalSetup: ['test/services.ts'],
    isolate: false,
    maxWorkers: 2,
    restoreMocks: true,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
