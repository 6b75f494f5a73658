import { Injectable } from '@nestjs/common';
import type { Caller, Role } from '../../base/auth/caller.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { TenantModel, type TenantRow, type UserRow } from '../../models/tenant.model.js';
import { highestRole } from '../identity/role.js';

export interface Member {
  id: string;
  role: Role;
  user: UserRow;
}

@Injectable()
export class TenantService {
  constructor(
    private readonly database: TenantDatabase,
    private readonly tenants: TenantModel,
  ) {}

  tenant(tenantId: string): Promise<TenantRow> {
    return this.database.inTenant(tenantId, () => this.tenants.current());
  }

  async members(tenantId: string): Promise<Member[]> {
    const rows = await this.database.inTenant(tenantId, () => this.tenants.members());
    return rows.map(({ id, role, user }) => ({ id, role: highestRole(role), user }));
  }

  async viewer({ tenantId, userId }: Caller): Promise<UserRow | null> {
    if (userId === null) return null;
    const member = await this.database.inTenant(tenantId, () => this.tenants.member(userId));
    return member?.user ?? null;
  }
}
