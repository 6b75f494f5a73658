/** Invitations as they are read; Better Auth makes, accepts, declines and revokes them (`core/identity`). */
import { Injectable } from '@nestjs/common';
import type { Caller } from '../../base/auth/caller.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { isUuid } from '../../base/uuid.js';
import { TenantModel } from '../../models/tenant.model.js';
import { type FoundInvitation, IdentityDirectory } from '../identity/identity-directory.js';
import { mayDecideOn } from '../identity/membership.policy.js';
import { highestRole } from '../identity/role.js';
import type { InvitationPreviewType, InvitationState, InvitationType } from './invitation.types.js';

const BY_STATUS: Partial<Record<string, InvitationState>> = { accepted: 'ACCEPTED', rejected: 'DECLINED', canceled: 'REVOKED' };

@Injectable()
export class InvitationService {
  constructor(
    private readonly database: TenantDatabase,
    private readonly tenants: TenantModel,
    private readonly directory: IdentityDirectory,
  ) {}

  /** The open ones the caller might have made: the id of one is its link, and lets in with its role. */
  async open({ tenantId, role }: Caller): Promise<InvitationType[]> {
    const [rows, members] = await this.database.inTenant(tenantId, async () => [
      await this.tenants.openInvitations(new Date()),
      await this.tenants.members(),
    ] as const);
    const people = new Map(members.map(({ user }) => [user.id, user]));
    return rows
      .map((row) => ({ ...row, role: highestRole(row.role ?? ''), inviter: people.get(row.inviterId) ?? null }))
      .filter((row) => mayDecideOn(role, row.role));
  }

  /** For whoever has the link, signed in or not. null: there is no such invitation. */
  async preview(id: string): Promise<InvitationPreviewType | null> {
    const found = isUuid(id) ? await this.directory.invitation(id) : null;
    if (!found) return null;
    const { tenant, inviter, email, expiresAt } = found;
    const role = highestRole(found.role ?? '');
    return { id, state: stateOf(found), tenantName: tenant.name, inviterName: inviter.name, role, emailHint: hideName(email), expiresAt };
  }
}

/** An inviter who may not decide on the role any more has, in effect, revoked it. */
function stateOf({ status, role, expiresAt, inviterRole }: FoundInvitation): InvitationState {
  if (status !== 'pending') return BY_STATUS[status] ?? 'REVOKED';
  if (expiresAt <= new Date()) return 'EXPIRED';
  return mayDecideOn(inviterRole, highestRole(role ?? '')) ? 'OPEN' : 'REVOKED';
}

/** "nora@example.com" → "n•••@example.com" */
const hideName = (email: string): string => email.replace(/^(.).*@/u, '$1•••@');
