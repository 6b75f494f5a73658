import { readFileSync } from 'node:fs';

/** Of the engine: this package's. */
export const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
