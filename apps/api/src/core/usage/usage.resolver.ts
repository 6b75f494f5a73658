import { Args, ResolveField, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { TenantType } from '../tenant/tenant.types.js';
import { UsageService } from './usage.service.js';
import { UsageInput, UsageReport } from './usage.types.js';

/** Everyone in a tenant may see what it uses. */
@Resolver(() => TenantType)
export class UsageResolver {
  constructor(private readonly usages: UsageService) {}

  @ResolveField(() => UsageReport, {
    description: 'Tokens, requests and amount by UTC day and target; `from` inclusive, `to` exclusive, at most 366 days.',
  })
  usage(@CurrentCaller() caller: Caller, @Args('input') input: UsageInput): Promise<UsageReport> {
    return this.usages.report(caller.tenantId, input);
  }
}
