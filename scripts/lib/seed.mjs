/** The two demo tenants with their users, keys and adapters. Seeding twice changes nothing. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiEnvironment } from './apps.mjs';
import { runCommand } from './run.mjs';

/** @typedef {{ name: string, slug: string, login: string, password: string, apiKey: string, adapters: string[] }} Tenant */

/** @param {import('./stack.mjs').Context} context @returns {Promise<Tenant[]>} */
export async function seed(context) {
  const { settings } = context;
  const out = join(settings.home, 'seed.json');
  await runCommand(process.execPath, ['dist/seed.js'], {
    cwd: join(settings.repository, 'apps', 'api'),
    log: join(settings.logs, 'seed.log'),
    env: {
      ...apiEnvironment(context),
      SEED_ADAPTERS_DIR: join(settings.repository, 'examples', 'adapters'),
      SEED_OUT: out,
    },
    fix: 'If the data under .aril is from an older state of this clone and not needed: npm start -- --reset',
  });
  if (!existsSync(out)) throw new Error(`seeding wrote no ${out}`);
  return JSON.parse(readFileSync(out, 'utf8')).tenants;
}
