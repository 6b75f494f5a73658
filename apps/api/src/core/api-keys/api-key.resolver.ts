import { Args, Mutation, ResolveField, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { TenantType } from '../tenant/tenant.types.js';
import { mayListApiKeys, mayManageApiKeys } from './api-key.policy.js';
import { ApiKeyService } from './api-key.service.js';
import * as types from './api-key.types.js';
import { apiKeyView } from './api-key.view.js';

@Resolver(() => TenantType)
export class ApiKeyResolver {
  constructor(private readonly keys: ApiKeyService) {}

  @ResolveField(() => [types.ApiKeyType])
  async apiKeys(@CurrentCaller() caller: Caller): Promise<types.ApiKeyType[]> {
    mayListApiKeys(caller);
    return (await this.keys.list(caller.tenantId)).map(apiKeyView);
  }

  @Mutation(() => types.CreateApiKeyPayload)
  async createApiKey(@CurrentCaller() caller: Caller, @Args('input') input: types.CreateApiKeyInput): Promise<types.CreateApiKeyPayload> {
    mayManageApiKeys(caller);
    const { key, secret } = await this.keys.create(caller, input);
    return { apiKey: apiKeyView(key), secret };
  }

  @Mutation(() => types.RotateApiKeyPayload, { description: 'A new secret for a key that stays the same; the old one still works for a while. An older one ends at once.' })
  async rotateApiKey(@CurrentCaller() caller: Caller, @Args('input') input: types.RotateApiKeyInput): Promise<types.RotateApiKeyPayload> {
    mayManageApiKeys(caller);
    const { key, secret } = await this.keys.rotate(caller.tenantId, input.apiKeyId, input);
    return { apiKey: apiKeyView(key), secret };
  }

  @Mutation(() => types.UpdateApiKeyPermissionsPayload, { description: 'Holds from the next request on.' })
  async updateApiKeyPermissions(
    @CurrentCaller() caller: Caller,
    @Args('input') input: types.UpdateApiKeyPermissionsInput,
  ): Promise<types.UpdateApiKeyPermissionsPayload> {
    mayManageApiKeys(caller);
    return { apiKey: apiKeyView(await this.keys.changePermissions(caller.tenantId, input.apiKeyId, input)) };
  }

  @Mutation(() => types.RevokeApiKeyPayload)
  async revokeApiKey(@CurrentCaller() caller: Caller, @Args('input') input: types.RevokeApiKeyInput): Promise<types.RevokeApiKeyPayload> {
    mayManageApiKeys(caller);
    await this.keys.revoke(caller.tenantId, input.apiKeyId);
    return { apiKeyId: input.apiKeyId };
  }
}
