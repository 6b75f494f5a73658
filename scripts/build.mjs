/** `npm run build`: builds the workspaces that changed, in the order they need each other. */
import { buildAll } from './lib/build.mjs';
import { Report } from './lib/report.mjs';
import { readSettings } from './lib/settings.mjs';

const report = new Report();
try {
  const { built } = await buildAll(readSettings(process.env, []), report);
  report.line(built.length === 0 ? '  Everything is built.' : `  Built ${built.length}.`);
} catch (error) {
  report.failure(error);
  process.exitCode = 1;
}
