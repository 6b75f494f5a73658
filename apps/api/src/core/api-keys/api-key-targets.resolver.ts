import { Args, Context, Mutation, Parent, ResolveField, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { mayManageApiKeys } from './api-key.policy.js';
import { ApiKeyService } from './api-key.service.js';
import { ApiKeyTargetType, ApiKeyType, UpdateApiKeyTargetsInput, UpdateApiKeyTargetsPayload } from './api-key.types.js';
import { apiKeyView } from './api-key.view.js';
import { type KeyTarget, KeyTargets } from './key-targets.js';

@Resolver(() => ApiKeyType)
export class ApiKeyTargetsResolver {
  /** One look per request, however many keys it lists. */
  private readonly looks = new WeakMap<object, Promise<ReadonlyMap<string, KeyTarget>>>();

  constructor(
    private readonly keys: ApiKeyService,
    private readonly targets: KeyTargets,
  ) {}

  @ResolveField('targets', () => [ApiKeyTargetType], {
    nullable: true,
    description: 'What it may name as target, a deployment with all its variants; null: everything. Deleted ones are left out, so it may be empty: nothing.',
  })
  async targetsOf(@CurrentCaller() caller: Caller, @Parent() { targetIds }: ApiKeyType, @Context() context: object): Promise<ApiKeyTargetType[] | null> {
    if (targetIds === null) return null;
    let look = this.looks.get(context);
    if (!look) this.looks.set(context, (look = this.targets.all(caller.tenantId)));
    const all = await look;
    return targetIds.flatMap((id) => {
      const target = all.get(id);
      return !target || target.isDeleted ? [] : [{ id, kind: target.kind, target: target.name }];
    });
  }

  @Mutation(() => UpdateApiKeyTargetsPayload, { description: 'Holds from the next request on.' })
  async updateApiKeyTargets(
    @CurrentCaller() caller: Caller,
    @Args('input') input: UpdateApiKeyTargetsInput,
    @Context() context: object,
  ): Promise<UpdateApiKeyTargetsPayload> {
    mayManageApiKeys(caller);
    this.looks.delete(context);
    return { apiKey: apiKeyView(await this.keys.changeTargets(caller.tenantId, input.apiKeyId, input)) };
  }
}
