/**
 * Brings the database DATABASE_URL names (as its owner) to the newest migration and lets the role `aril_app` log in
 * with APP_DATABASE_PASSWORD. For deployments; `npm start` does the same by itself.
 */
import { createAppRole, migrate } from '../packages/local-services/src/index.mjs';

const { DATABASE_URL, APP_DATABASE_PASSWORD } = process.env;
if (!DATABASE_URL || !APP_DATABASE_PASSWORD) {
  console.error(
    'Set DATABASE_URL (the owner of the database) and APP_DATABASE_PASSWORD (for the role aril_app).',
  );
  process.exit(1);
}
const { applied } = await migrate({ ownerUrl: DATABASE_URL });
await createAppRole({ ownerUrl: DATABASE_URL, password: APP_DATABASE_PASSWORD });
console.log(applied ? 'Migrations applied.' : 'Nothing to migrate.');
