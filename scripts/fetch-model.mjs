/** Fetches and verifies the base model's weights into the cache and prints their path. `npm start` does the same by itself. */
import { mkdirSync } from 'node:fs';
import { describeDiskError } from './lib/failure.mjs';
import { provideWeights, readCatalog } from './lib/model.mjs';
import { Report } from './lib/report.mjs';
import { readSettings } from './lib/settings.mjs';

const report = new Report({ quiet: true });
try {
  const settings = readSettings(process.env, []);
  mkdirSync(settings.logs, { recursive: true });
  const { weights } = readCatalog(settings.repository);
  if (weights) console.log(await provideWeights(settings, weights, () => {}));
} catch (error) {
  report.quiet = false;
  report.failure(describeDiskError(error, error.path ?? process.cwd()));
  process.exitCode = 1;
}
