import { Args, Mutation, ResolveField, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { TenantService } from '../tenant/tenant.service.js';
import { TenantType } from '../tenant/tenant.types.js';
import { mayChangeLimits, mayReadLimits } from './limits.policy.js';
import { LimitsService } from './limits.service.js';
import { BudgetType, LimitCeilings, LimitsType, UpdateTenantLimitsInput, UpdateTenantLimitsPayload } from './limits.types.js';
import { budgetView, ceilingsView } from './limits.view.js';

@Resolver(() => TenantType)
export class TenantLimitsResolver {
  constructor(
    private readonly service: LimitsService,
    private readonly tenants: TenantService,
  ) {}

  @ResolveField(() => LimitsType)
  async limits(@CurrentCaller() caller: Caller): Promise<LimitsType> {
    mayReadLimits(caller);
    return (await this.service.ofTenant(caller.tenantId)).limits;
  }

  @ResolveField(() => BudgetType)
  async budget(@CurrentCaller() caller: Caller): Promise<BudgetType> {
    mayReadLimits(caller);
    return budgetView(await this.service.ofTenant(caller.tenantId));
  }

  @ResolveField(() => LimitCeilings)
  limitCeilings(): LimitCeilings {
    return ceilingsView(this.service.ceilings);
  }

  @Mutation(() => UpdateTenantLimitsPayload)
  async updateTenantLimits(@CurrentCaller() caller: Caller, @Args('input') input: UpdateTenantLimitsInput): Promise<UpdateTenantLimitsPayload> {
    mayChangeLimits(caller);
    await this.service.changeTenant(caller.tenantId, input);
    return { tenant: await this.tenants.tenant(caller.tenantId) };
  }
}
