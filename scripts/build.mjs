/** `npm run build`: builds the workspaces that changed, in the order they need each other. */
import { buildAll } from './lib/build.mjs';
import { Report } from './lib/report.mjs';
import { readSettings } from './lib/settings.mjs';

const report = new Report();
try {
  const count = await buildAll(readSettings(process.env, []), report);
  report.line(count === 0 ? '  Everything is built.' : `  Built ${count}.`);
} catch (error) {
  report.failure(error);
  process.exitCode = 1;
}
