import { Injectable } from '@nestjs/common';
import { PrismaService } from '../base/prisma/prisma.service.js';
import { TenantDatabase } from '../base/prisma/tenant-database.js';
import type { ApiKey } from '../generated/prisma/client.js';

export type ApiKeyRow = ApiKey;
/** What a rotation changes, and nothing else of a key. */
export type SecretColumns = Pick<
  ApiKeyRow,
  'prefix' | 'keyHash' | 'secretVersion' | 'secretLastUsedAt' | 'previousPrefix' | 'previousKeyHash' | 'previousEndsAt' | 'previousLastUsedAt'
>;

@Injectable()
export class ApiKeyModel {
  constructor(
    private readonly database: TenantDatabase,
    private readonly prisma: PrismaService,
  ) {}

  /**
   * The one look at tenant data before the tenant is known: a policy of its own shows the row of whose secrets,
   * the present or the previous one, the transaction names the hash, and no other.
   */
  async findByHash(hash: string): Promise<ApiKeyRow | null> {
    const [, row] = await this.prisma.$transaction([
      // The second says that what a key is held to is known here and kept to.
      this.prisma.$executeRaw`SELECT set_config('app.api_key_hash', ${hash}, true), set_config('app.api_key_targets', 'known', true)`,
      this.prisma.apiKey.findFirst({ where: { OR: [{ keyHash: hash }, { previousKeyHash: hash }] } }),
    ]);
    return row;
  }

  /** Live ones, newest first. */
  list(): Promise<ApiKeyRow[]> {
    return this.database.tx.apiKey.findMany({
      where: { tenantId: this.database.tenantId, revokedAt: null },
      orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    });
  }

  /** Names by id, those of revoked keys too: what they used stays in reports. */
  async names(): Promise<Map<string, string>> {
    const rows = await this.database.tx.apiKey.findMany({
      where: { tenantId: this.database.tenantId },
      select: { id: true, name: true },
    });
    return new Map(rows.map(({ id, name }) => [id, name]));
  }

  /** A live one. */
  find(id: string): Promise<ApiKeyRow | null> {
    return this.database.tx.apiKey.findFirst({ where: { tenantId: this.database.tenantId, id, revokedAt: null } });
  }

  /** A revoked one too. */
  findAny(id: string): Promise<ApiKeyRow | null> {
    return this.database.tx.apiKey.findFirst({ where: { tenantId: this.database.tenantId, id } });
  }

  count(): Promise<number> {
    return this.database.tx.apiKey.count({ where: { tenantId: this.database.tenantId, revokedAt: null } });
  }

  create(key: Pick<ApiKeyRow, 'name' | 'prefix' | 'keyHash' | 'createdById' | 'expiresAt' | 'permissions' | 'allTargets' | 'targetIds'>): Promise<ApiKeyRow> {
    return this.database.tx.apiKey.create({ data: { ...key, tenantId: this.database.tenantId } });
  }

  /** false: there is no such live key. */
  async revoke(id: string, at: Date): Promise<boolean> {
    const { count } = await this.database.tx.apiKey.updateMany({
      where: { tenantId: this.database.tenantId, id, revokedAt: null },
      data: { revokedAt: at },
    });
    return count === 1;
  }

  /** null: there is no such live key, or it is not as it was read any more. */
  async change(key: ApiKeyRow, data: Partial<SecretColumns> & Partial<Pick<ApiKeyRow, 'permissions' | 'allTargets' | 'targetIds'>>): Promise<ApiKeyRow | null> {
    const { id, secretVersion } = key;
    const [changed] = await this.database.tx.apiKey.updateManyAndReturn({
      where: { tenantId: this.database.tenantId, id, secretVersion, revokedAt: null },
      data,
    });
    return changed ?? null;
  }

  /** By hash: a rotation may have made the present secret the previous one meanwhile. */
  async touch(id: string, hash: string, at: Date): Promise<void> {
    await this.database.tx.$executeRaw`
      UPDATE api_keys SET last_used_at = ${at},
        secret_last_used_at = CASE WHEN key_hash = ${hash} THEN ${at} ELSE secret_last_used_at END,
        previous_last_used_at = CASE WHEN previous_key_hash = ${hash} THEN ${at} ELSE previous_last_used_at END
      WHERE tenant_id = ${this.database.tenantId}::uuid AND id = ${id}::uuid`;
  }
}
