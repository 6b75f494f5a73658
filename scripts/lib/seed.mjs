/** The two demo tenants with their users, keys, adapters and deployments. Seeding twice changes nothing. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiEnvironment } from './apps.mjs';
import { runCommand } from './run.mjs';

/** @typedef {{ name: string, slug: string, login: string, password: string, apiKey: string, adapters: string[], deployments: string[] }} Tenant */

const seedFile = (home) => join(home, 'seed.json');

/** @returns {Tenant[] | null} what an earlier start wrote */
function keptTenants(home) {
  try {
    return JSON.parse(readFileSync(seedFile(home), 'utf8')).tenants;
  } catch {
    return null;
  }
}

/** Whether the tenant's key opens the API and what it can call is all there. An earlier version knew no deployments. */
async function isServed({ apiKey, adapters, deployments }, apiUrl) {
  const response = await fetch(`${apiUrl}/v1/models`, { headers: { authorization: `Bearer ${apiKey}` } });
  if (!response.ok) return false;
  const ids = (await response.json()).data.map(({ id }) => id);
  return deployments !== undefined && [...adapters, ...deployments].every((slug) => ids.includes(slug));
}

/**
 * Seeding loads the whole API once more, which takes seconds. When an earlier start has seeded, the running API is
 * asked instead, and only if it does not know the tenants any more (another database, a revoked key) they are made.
 * @param {import('./stack.mjs').Context} context @param {() => Promise<void>} apiReady @returns {Promise<Tenant[]>}
 */
export async function provideTenants(context, apiReady) {
  const kept = keptTenants(context.settings.home);
  if (kept) {
    await apiReady();
    const served = await Promise.all(kept.map((tenant) => isServed(tenant, context.urls.api)));
    if (served.every(Boolean)) return kept;
  }
  return seed(context);
}

/** @param {import('./stack.mjs').Context} context @returns {Promise<Tenant[]>} */
async function seed(context) {
  const { settings } = context;
  const out = seedFile(settings.home);
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
