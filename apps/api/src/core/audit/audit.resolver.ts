import { Args, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { type Connection, decodeCursor, PageArgs, pageOf } from '../../base/graphql/connection.js';
import { TenantType } from '../tenant/tenant.types.js';
import { AUDIT_ACTIONS } from './audit-actions.js';
import { mayReadAuditLog } from './audit.policy.js';
import { AuditService } from './audit.service.js';
import { AuditActionType, AuditActor, AuditEventConnection, AuditEventType, AuditFilter } from './audit.types.js';

const ACTIONS: AuditActionType[] = Object.entries(AUDIT_ACTIONS).map(([name, label]) => ({ name, label }));

@Resolver(() => TenantType)
export class AuditResolver {
  constructor(private readonly service: AuditService) {}

  @ResolveField(() => AuditEventConnection, { description: 'What was changed, newest first. For owners and admins.' })
  auditEvents(
    @CurrentCaller() caller: Caller,
    @Args() page: PageArgs,
    @Args('filter', { type: () => AuditFilter, nullable: true }) filter: AuditFilter | null,
  ): Promise<Connection<AuditEventType>> {
    mayReadAuditLog(caller);
    return this.service.page(caller.tenantId, filter, pageOf(page, decodeCursor));
  }

  @ResolveField(() => [AuditActor], { description: 'Whoever the audit log names, as they were called last. For owners and admins.' })
  auditActors(@CurrentCaller() caller: Caller): Promise<AuditActor[]> {
    mayReadAuditLog(caller);
    return this.service.actors(caller.tenantId);
  }

  @Query(() => [AuditActionType], { description: 'Everything that the audit log can say was done.' })
  auditActions(): AuditActionType[] {
    return ACTIONS;
  }
}
