/** What takes too long in Postgres is ended there: a process that stands still must not lock the others out. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reportError } from '../src/base/errors/error-report.js';
import { IdentityPrisma, PrismaService } from '../src/base/prisma/prisma.service.js';
import { startApp, type TestApp } from './harness.js';

describe('DATABASE_TIMEOUT_S', () => {
  let test: TestApp;
  beforeAll(async () => {
    test = await startApp({ DATABASE_TIMEOUT_S: '4' });
  });
  afterAll(() => test.stop());

  it.each([['tenant data', PrismaService], ['identity', IdentityPrisma]])('bounds statements, and pauses within transactions: %s', async (_, door) => {
    const prisma = test.app.get<PrismaService>(door, { strict: false });
    const pause = await prisma.$queryRaw`SELECT setting FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'`;
    expect(pause).toEqual([{ setting: '4000' }]);
    const error: unknown = await prisma.$queryRaw`SELECT 1 FROM pg_sleep(60)`.catch((thrown: unknown) => thrown);
    expect(reportError(error, 'id')).toMatchObject({ code: 'OVERLOADED' });
  });
});
