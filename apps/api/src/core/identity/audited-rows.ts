/**
 * The door through which Better Auth writes identity tables. What it changes of a tenant or of a tenant's people is
 * recorded here, in the transaction that changes it, whichever endpoint does so: most have no hook of their own.
 */
import type { BetterAuthOptions, DBAdapter, DBTransactionAdapter } from 'better-auth';
import { prismaAdapter } from 'better-auth/adapters/prisma';
import { insertAuditEvent } from '../../models/audit-event.model.js';
import { type IdentityEvent, identityEvents, type IdentityRow, isAudited, toAuditEvent } from './identity-changes.js';
import type { IdentityOutage } from './identity-outage.js';

/** The identity tables, watched for outages. */
export type IdentityRows = ReturnType<IdentityOutage['watch']>;
type Transaction = Parameters<Parameters<IdentityRows['$transaction']>[0]>[0];
type Where = NonNullable<Parameters<DBAdapter['findMany']>[0]['where']>;
type Work<T> = (rows: DBTransactionAdapter, tx: Transaction) => Promise<T>;

const POSTGRES = { provider: 'postgresql' } as const;

export const auditedRows = (rows: IdentityRows) => (options: BetterAuthOptions): DBAdapter => {
  const adapter = prismaAdapter(rows, { ...POSTGRES, transaction: true })(options);
  const inTransaction = <T>(work: Work<T>): Promise<T> =>
    rows.$transaction((tx) => work(prismaAdapter(tx, POSTGRES)(options), tx));
  // Better Auth knows the adapter by its identity, so that it stays the same object.
  return Object.assign(adapter, audited({ ...adapter }, inTransaction), {
    transaction: <T>(work: (rows: DBTransactionAdapter) => Promise<T>) =>
      inTransaction((plain, tx) => work({ ...plain, ...audited(plain, (inner) => inner(plain, tx)) })),
  });
};

/** Writes on models that the log is about, recorded within `inTransaction`; other models' as they are. */
function audited(plain: DBTransactionAdapter, inTransaction: <T>(work: Work<T>) => Promise<T>) {
  type Call = { model: string; where?: Where };
  const wrap =
    <A extends Call, R>(of: (rows: DBTransactionAdapter) => (call: A) => Promise<R>) =>
    (call: A): Promise<R> => {
      if (!isAudited(call.model)) return of(plain)(call);
      return inTransaction((rows, tx) => changing(rows, tx, call, () => of(rows)(call)));
    };
  return {
    create: wrap((rows) => rows.create),
    update: wrap((rows) => rows.update),
    updateMany: wrap((rows) => rows.updateMany),
    incrementOne: wrap((rows) => rows.incrementOne),
    delete: wrap((rows) => rows.delete),
    deleteMany: wrap((rows) => rows.deleteMany),
    consumeOne: wrap((rows) => rows.consumeOne),
  } as Pick<DBTransactionAdapter, 'create' | 'update' | 'updateMany' | 'incrementOne' | 'delete' | 'deleteMany' | 'consumeOne'>;
}

async function changing<R>(rows: DBTransactionAdapter, tx: Transaction, { model, where }: { model: string; where?: Where }, write: () => Promise<R>): Promise<R> {
  const before = where ? await lockedRows(rows, tx, model, where) : [];
  const result = await write();
  const ids = where ? before.map(({ id }) => id) : [(result as IdentityRow).id];
  const after = ids.length > 0 ? await rows.findMany<IdentityRow>({ model, where: [{ field: 'id', operator: 'in', value: ids }] }) : [];
  for (const id of ids) {
    const of = (found: readonly IdentityRow[]): IdentityRow | null => found.find((row) => row.id === id) ?? null;
    await recordIdentity(rows, tx, await identityEvents(rows, model, of(before), of(after)));
  }
  return result;
}

/** Others that change these rows wait until the transaction ends: what was before is what the last one left. */
async function lockedRows(rows: DBTransactionAdapter, tx: Transaction, model: string, where: Where): Promise<IdentityRow[]> {
  const found = await rows.findMany<IdentityRow>({ model, where });
  if (found.length === 0) return found;
  for (const id of found.map((row) => row.id).sort()) await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${`identity:${id}`}, 0))`;
  return rows.findMany<IdentityRow>({ model, where });
}

async function recordIdentity(rows: DBTransactionAdapter, tx: Transaction, events: readonly IdentityEvent[]): Promise<void> {
  for (const event of events) {
    const row = await toAuditEvent(rows, event);
    if (row) await insertAuditEvent(tx, row);
  }
}

/** What is no change of a row: an attempt. */
export const recordAttempt = (rows: IdentityRows, options: BetterAuthOptions, events: (rows: DBTransactionAdapter) => Promise<IdentityEvent[]>): Promise<void> =>
  rows.$transaction(async (tx) => {
    const plain = prismaAdapter(tx, POSTGRES)(options);
    await recordIdentity(plain, tx, await events(plain));
  });
