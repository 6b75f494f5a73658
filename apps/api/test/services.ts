/**
 * Before all tests: a real Postgres, a real Redis for each worker, and one migrated database to copy. The addresses go to
 * the test files through vitest's `provide`.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAppRole, migrate, onDatabase, startPostgres, startRedis } from '@aril/local-services';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The migrated database, as its owner. Nobody connects to it: it is copied. */
    templateUrl: string;
    appPassword: string;
    /** One for each worker: a test that holds Redis up holds up no other file. */
    redisUrls: string[];
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'aril-api-test-'));
  const startRedises = Array.from({ length: project.config.maxWorkers }, (_, worker) =>
    startRedis({ dir: join(folder, `redis-${worker}`), durable: false }),
  );
  const [postgres, ...redises] = await Promise.all([
    startPostgres({ dir: join(folder, 'postgres'), durable: false }),
    ...startRedises,
  ]);
  const templateUrl = onDatabase(postgres.url, 'template_aril');
  const appPassword = randomBytes(12).toString('hex');
  await migrate({ ownerUrl: templateUrl });
  await createAppRole({ ownerUrl: templateUrl, password: appPassword });
  project.provide('templateUrl', templateUrl);
  project.provide('appPassword', appPassword);
  project.provide('redisUrls', redises.map(({ url }) => url));
  return async () => {
    await Promise.all([postgres, ...redises].map((server) => server.stop()));
    rmSync(folder, { recursive: true, force: true });
  };
}
