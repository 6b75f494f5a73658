import { Args, Mutation, ResolveField, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { TenantType } from '../tenant/tenant.types.js';
import { mayListApiKeys, mayManageApiKeys } from './api-key.policy.js';
import { ApiKeyService } from './api-key.service.js';
import { ApiKeyType, CreateApiKeyInput, CreateApiKeyPayload, RevokeApiKeyInput, RevokeApiKeyPayload } from './api-key.types.js';

@Resolver(() => TenantType)
export class ApiKeyResolver {
  constructor(private readonly keys: ApiKeyService) {}

  @ResolveField(() => [ApiKeyType])
  apiKeys(@CurrentCaller() caller: Caller): Promise<ApiKeyType[]> {
    mayListApiKeys(caller);
    return this.keys.list(caller.tenantId);
  }

  @Mutation(() => CreateApiKeyPayload)
  async createApiKey(@CurrentCaller() caller: Caller, @Args('input') input: CreateApiKeyInput): Promise<CreateApiKeyPayload> {
    mayManageApiKeys(caller);
    const { key, secret } = await this.keys.create(caller, input);
    return { apiKey: key, secret };
  }

  @Mutation(() => RevokeApiKeyPayload)
  async revokeApiKey(@CurrentCaller() caller: Caller, @Args('input') input: RevokeApiKeyInput): Promise<RevokeApiKeyPayload> {
    mayManageApiKeys(caller);
    await this.keys.revoke(caller.tenantId, input.apiKeyId);
    return { apiKeyId: input.apiKeyId };
  }
}
