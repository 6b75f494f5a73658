#!/usr/bin/env node
/** The `aril` command. Its code is TypeScript in src/, compiled to dist/. */
import { existsSync } from 'node:fs';

const main = new URL('../dist/main.js', import.meta.url);
if (existsSync(main)) {
  await import(main.href);
} else {
  process.stderr.write('aril: this checkout is not built yet. In the root of the repository, run `npm install && npm run build -w @aril/cli`.\n');
  process.exitCode = 1;
}
