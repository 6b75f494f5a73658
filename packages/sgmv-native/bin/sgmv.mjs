#!/usr/bin/env node
/** The `sgmv` command. Its code is TypeScript in lib/cli/, compiled to dist/. */
import { existsSync } from 'node:fs';

const main = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(main)) {
  await import(main.href);
} else {
  process.stderr.write(
    'sgmv: this checkout is not built yet. In the root of the repository, run `npm start` (the whole platform) or `npm install && npm run build -w @aril/sgmv-native` (the engine alone).\n',
  );
  process.exitCode = 1;
}
