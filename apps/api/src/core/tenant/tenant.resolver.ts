import { Query, ResolveField, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { mayListMembers } from './tenant.policy.js';
import { TenantService } from './tenant.service.js';
import { MemberType, TenantType, UserType } from './tenant.types.js';

@Resolver(() => TenantType)
export class TenantResolver {
  constructor(private readonly tenants: TenantService) {}

  @Query(() => UserType, { nullable: true, description: 'The signed-in user; null for API keys.' })
  viewer(@CurrentCaller() caller: Caller): Promise<UserType | null> {
    return this.tenants.viewer(caller);
  }

  @Query(() => TenantType, { description: "The tenant of the API key, or the signed-in user's active tenant." })
  tenant(@CurrentCaller() caller: Caller): Promise<TenantType> {
    return this.tenants.tenant(caller.tenantId);
  }

  @ResolveField(() => [MemberType])
  members(@CurrentCaller() caller: Caller): Promise<MemberType[]> {
    mayListMembers(caller);
    return this.tenants.members(caller.tenantId);
  }
}
