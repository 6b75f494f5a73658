import { Injectable } from '@nestjs/common';
import { IdentityPrisma } from '../../base/prisma/prisma.service.js';

/** What must be known of people and tenants before, or without, acting for one tenant. */
@Injectable()
export class IdentityDirectory {
  constructor(private readonly prisma: IdentityPrisma) {}

  /** The oldest first. */
  async tenantsOfUser(userId: string): Promise<string[]> {
    const rows = await this.prisma.membership.findMany({
      where: { userId },
      orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
      select: { tenantId: true },
    });
    return rows.map((row) => row.tenantId);
  }

  async setActiveTenant(sessionId: string, tenantId: string): Promise<void> {
    await this.prisma.session.updateMany({ where: { id: sessionId }, data: { activeTenantId: tenantId } });
  }

  /** For periodic work, which then goes tenant by tenant. */
  async allTenantIds(): Promise<string[]> {
    const rows = await this.prisma.tenant.findMany({ select: { id: true }, orderBy: { id: 'asc' } });
    return rows.map((row) => row.id);
  }
}
