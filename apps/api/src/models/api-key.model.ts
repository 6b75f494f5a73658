import { Injectable } from '@nestjs/common';
import { PrismaService } from '../base/prisma/prisma.service.js';
import { TenantDatabase } from '../base/prisma/tenant-database.js';
import type { ApiKey } from '../generated/prisma/client.js';

export type ApiKeyRow = ApiKey;

@Injectable()
export class ApiKeyModel {
  constructor(
    private readonly database: TenantDatabase,
    private readonly prisma: PrismaService,
  ) {}

  /**
   * The one look at tenant data before the tenant is known: a policy of its own shows the row whose hash the
   * transaction names, and no other.
   */
  async findByHash(keyHash: string): Promise<ApiKeyRow | null> {
    const [, row] = await this.prisma.$transaction([
      this.prisma.$executeRaw`SELECT set_config('app.api_key_hash', ${keyHash}, true)`,
      this.prisma.apiKey.findUnique({ where: { keyHash } }),
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

  create(key: { name: string; prefix: string; keyHash: string; createdById: string | null; expiresAt: Date | null }): Promise<ApiKeyRow> {
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

  async touch(id: string, at: Date): Promise<void> {
    await this.database.tx.apiKey.updateMany({ where: { tenantId: this.database.tenantId, id }, data: { lastUsedAt: at } });
  }
}
