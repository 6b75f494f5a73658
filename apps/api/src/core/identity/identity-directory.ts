import { Injectable } from '@nestjs/common';
import type { Role } from '../../base/auth/caller.js';
import { IdentityPrisma } from '../../base/prisma/prisma.service.js';
import { highestRole } from './role.js';

export interface FoundInvitation {
  status: string;
  role: string | null;
  email: string;
  expiresAt: Date;
  tenant: { name: string };
  inviter: { name: string };
  /** null: the inviter is no member any more. */
  inviterRole: Role | null;
}

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

  /** By its id alone, as whoever has the link knows no more. */
  async invitation(id: string): Promise<FoundInvitation | null> {
    const row = await this.prisma.invitation.findUnique({
      where: { id },
      include: { tenant: { select: { name: true } }, inviter: { select: { name: true } } },
    });
    if (!row) return null;
    const { tenantId, inviterId: userId } = row;
    const inviter = await this.prisma.membership.findUnique({ where: { tenantId_userId: { tenantId, userId } } });
    return { ...row, inviterRole: inviter ? highestRole(inviter.role) : null };
  }

  /** For periodic work, which then goes tenant by tenant. */
  async allTenantIds(): Promise<string[]> {
    const rows = await this.prisma.tenant.findMany({ select: { id: true }, orderBy: { id: 'asc' } });
    return rows.map((row) => row.id);
  }
}
