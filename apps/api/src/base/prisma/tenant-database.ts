/**
 * Ambient transactions that act for one tenant. A service opens one; the models below it find it here, so that
 * no function between them has to hand it on, and none can reach tenant rows outside of one.
 */
import { Injectable } from '@nestjs/common';
import { Propagation, TransactionHost } from '@nestjs-cls/transactional';
import type { TransactionalAdapterPrisma } from '@nestjs-cls/transactional-adapter-prisma';
import { ClsService } from 'nestjs-cls';
import { isUuid } from '../uuid.js';
import type { PrismaService } from './prisma.service.js';

type Host = TransactionHost<TransactionalAdapterPrisma<PrismaService>>;
export type TenantTransaction = Host['tx'];

const TENANT = Symbol('tenant of the open transaction');

@Injectable()
export class TenantDatabase {
  constructor(
    private readonly host: TransactionHost<TransactionalAdapterPrisma<PrismaService>>,
    private readonly cls: ClsService,
  ) {}

  /** The open transaction's client. */
  get tx(): TenantTransaction {
    if (!this.host.isTransactionActive()) throw new Error('a query on tenant data outside of TenantDatabase.inTenant');
    return this.host.tx;
  }

  /** The open transaction's tenant; the `tenantId` of every row a model writes. */
  get tenantId(): string {
    const tenantId = this.cls.get<string | undefined>(TENANT);
    if (!tenantId) throw new Error('the tenant is asked for outside of TenantDatabase.inTenant');
    return tenantId;
  }

  /** Runs `work` in a transaction that sees `tenantId`'s rows only; inside another one of that tenant, joins it. */
  async inTenant<T>(tenantId: string, work: () => Promise<T>): Promise<T> {
    if (!isUuid(tenantId)) throw new Error('TenantDatabase.inTenant: found no UUID, expected a tenant id');
    if (this.host.isTransactionActive()) return this.join(tenantId, work);
    return this.cls.run({ ifNested: 'inherit' }, () => {
      this.cls.set(TENANT, tenantId);
      return this.host.withTransaction(Propagation.RequiresNew, async () => {
        await this.host.tx.$executeRaw`SELECT set_config('app.tenant_id', ${tenantId}, true)`;
        return work();
      });
    });
  }

  /** Runs `work` in a transaction that sees no tenant's rows: for data that all tenants share. */
  withoutTenant<T>(work: () => Promise<T>): Promise<T> {
    if (this.host.isTransactionActive()) throw new Error('withoutTenant inside an open transaction');
    return this.host.withTransaction(work);
  }

  /**
   * Housekeeping has to find rows before it knows their tenants. The setting opens policies for reading those that it is
   * looking for; whatever is then done to a row happens in a transaction of its tenant.
   */
  acrossTenants<T>(query: () => Promise<T>): Promise<T> {
    return this.withoutTenant(async () => {
      await this.tx.$executeRaw`SELECT set_config('app.housekeeping', 'on', true)`;
      return query();
    });
  }

  /** Until the transaction ends, others that ask for the same name wait. Names are per tenant. */
  async lock(name: string): Promise<void> {
    await this.tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${`${this.tenantId}:${name}`}, 0))`;
  }

  /** Those who share the name do not wait for each other; who asks for it alone, by `lock`, waits for all of them, and they for him. */
  async lockShared(name: string): Promise<void> {
    await this.tx.$executeRaw`SELECT pg_advisory_xact_lock_shared(hashtextextended(${`${this.tenantId}:${name}`}, 0))`;
  }

  private join<T>(tenantId: string, work: () => Promise<T>): Promise<T> {
    if (this.cls.get<string | undefined>(TENANT) !== tenantId) {
      throw new Error("a transaction of one tenant inside another's");
    }
    return work();
  }
}
