import { Args, Parent, ResolveField, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { mayReadUsage } from './usage.policy.js';
import type { UsageGroup } from '../../models/usage.model.js';
import { TenantType } from '../tenant/tenant.types.js';
import { UsageService, type UsageView } from './usage.service.js';
import { UsageInput, UsageReport, UsageRowType } from './usage.types.js';

@Resolver(() => TenantType)
export class UsageResolver {
  constructor(private readonly usages: UsageService) {}

  @ResolveField(() => UsageReport, {
    description: 'Requests, tokens and amount, in groups of choice; days are UTC, `from` inclusive, `to` exclusive, at most 366 days. To a key that is held to certain targets: of those.',
  })
  usage(@CurrentCaller() caller: Caller, @Args('input') input: UsageInput): Promise<UsageView> {
    mayReadUsage(caller);
    return this.usages.report(caller, input);
  }
}

@Resolver(() => UsageReport)
export class UsageRowsResolver {
  constructor(private readonly usages: UsageService) {}

  @ResolveField(() => [UsageRowType], { description: 'By UTC day and target, whatever `groups` are by.' })
  rows(@CurrentCaller() caller: Caller, @Parent() report: UsageView): Promise<UsageGroup[]> {
    return this.usages.rows(caller.tenantId, report);
  }
}
