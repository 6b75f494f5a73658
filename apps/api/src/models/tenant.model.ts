import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../base/prisma/tenant-database.js';
import type { Invitation, Membership, Tenant, User } from '../generated/prisma/client.js';

export type TenantRow = Tenant;
export type UserRow = Pick<User, 'id' | 'name' | 'email'>;
export type MemberRow = Membership & { user: UserRow };
export type InvitationRow = Invitation;

const USER_FIELDS = { id: true, name: true, email: true } as const;

/** Tenants and their people as the API proper sees them: read only, one tenant at a time. Better Auth writes them. */
@Injectable()
export class TenantModel {
  constructor(private readonly database: TenantDatabase) {}

  current(): Promise<TenantRow> {
    return this.database.tx.tenant.findUniqueOrThrow({ where: { id: this.database.tenantId } });
  }

  members(): Promise<MemberRow[]> {
    return this.database.tx.membership.findMany({
      where: { tenantId: this.database.tenantId },
      include: { user: { select: USER_FIELDS } },
      orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
    });
  }

  /** null: `userId` is no member of the tenant. */
  member(userId: string): Promise<MemberRow | null> {
    const tenantId = this.database.tenantId;
    return this.database.tx.membership.findUnique({
      where: { tenantId_userId: { tenantId, userId } },
      include: { user: { select: USER_FIELDS } },
    });
  }

  /** Neither answered nor revoked nor expired; the newest first. */
  openInvitations(now: Date): Promise<InvitationRow[]> {
    return this.database.tx.invitation.findMany({
      where: { tenantId: this.database.tenantId, status: 'pending', expiresAt: { gt: now } },
      orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    });
  }
}
