import { Injectable } from '@nestjs/common';
import { type Actor, currentActor } from '../../base/auth/request-identity.js';
import { ApiKeyModel } from '../../models/api-key.model.js';
import { AuditEventModel } from '../../models/audit-event.model.js';
import { TenantModel } from '../../models/tenant.model.js';
import type { AuditAction } from './audit-actions.js';
import { actorColumns, type AuditResource, type Change, describeChange } from './audit-event.js';

/** How services write the audit log. Who acts, and from where, is the request's; no request: the system. */
@Injectable()
export class AuditTrail {
  constructor(
    private readonly events: AuditEventModel,
    private readonly tenants: TenantModel,
    private readonly apiKeys: ApiKeyModel,
  ) {}

  /** In the transaction of the change, so that neither is there without the other. A change of nothing leaves no row. */
  async record(action: AuditAction, resource: AuditResource, change: Change = {}): Promise<void> {
    const described = describeChange(action, resource, change);
    if (!described) return;
    const actor = currentActor();
    await this.events.insert({ ...described, ...actorColumns(actor, actor && (await this.nameOf(actor))) });
  }

  /** Of a job that may be repeated: the first time only. Under a lock that keeps its repetitions apart. */
  async recordOnce(action: AuditAction, resource: AuditResource, change: Change): Promise<void> {
    if (!(await this.events.has(action, resource.id))) await this.record(action, resource, change);
  }

  private async nameOf(actor: Actor): Promise<{ name: string; handle: string } | null> {
    if ('userId' in actor) {
      const member = await this.tenants.member(actor.userId);
      return member && { name: member.user.name, handle: member.user.email };
    }
    const key = await this.apiKeys.findAny(actor.apiKeyId);
    return key && { name: key.name, handle: key.prefix };
  }
}
