import { Args, Mutation, ResolveField, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { TenantType } from '../tenant/tenant.types.js';
import { BillingDetailsService } from './billing-details.service.js';
import { BillingDetails, UpdateBillingDetailsInput, UpdateBillingDetailsPayload } from './billing-details.types.js';
import { mayEditBillingDetails, mayReadStatements } from './billing.policy.js';

@Resolver(() => TenantType)
export class BillingDetailsResolver {
  constructor(private readonly details: BillingDetailsService) {}

  @ResolveField(() => BillingDetails)
  billingDetails(@CurrentCaller() caller: Caller): Promise<BillingDetails> {
    mayReadStatements(caller);
    return this.details.get(caller.tenantId);
  }

  @Mutation(() => UpdateBillingDetailsPayload)
  async updateBillingDetails(
    @CurrentCaller() caller: Caller,
    @Args('input') input: UpdateBillingDetailsInput,
  ): Promise<UpdateBillingDetailsPayload> {
    mayEditBillingDetails(caller);
    return { billingDetails: await this.details.update(caller.tenantId, input) };
  }
}
