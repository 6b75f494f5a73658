import { Args, Context, Mutation, Parent, ResolveField, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { LimitsService, type LimitsInUse } from '../limits/limits.service.js';
import { BudgetType, LimitsType, UpdateApiKeyLimitsInput } from '../limits/limits.types.js';
import { budgetView } from '../limits/limits.view.js';
import { mayManageApiKeys } from './api-key.policy.js';
import { ApiKeyService } from './api-key.service.js';
import { ApiKeyType, UpdateApiKeyLimitsPayload } from './api-key.types.js';
import { apiKeyView } from './api-key.view.js';

type OfKeys = Awaited<ReturnType<LimitsService['ofKeys']>>;

@Resolver(() => ApiKeyType)
export class ApiKeyLimitsResolver {
  /** One look per request, however many keys it lists. */
  private readonly looks = new WeakMap<object, Promise<OfKeys>>();

  constructor(
    private readonly service: LimitsService,
    private readonly keys: ApiKeyService,
  ) {}

  @ResolveField(() => LimitsType)
  async limits(@CurrentCaller() caller: Caller, @Parent() key: ApiKeyType, @Context() context: object): Promise<LimitsType> {
    return (await this.of(caller, key, context)).limits;
  }

  @ResolveField(() => BudgetType, { description: 'Also of a key without a budget: what it has spent.' })
  async budget(@CurrentCaller() caller: Caller, @Parent() key: ApiKeyType, @Context() context: object): Promise<BudgetType> {
    return budgetView(await this.of(caller, key, context));
  }

  @Mutation(() => UpdateApiKeyLimitsPayload)
  async updateApiKeyLimits(@CurrentCaller() caller: Caller, @Args('input') input: UpdateApiKeyLimitsInput, @Context() context: object): Promise<UpdateApiKeyLimitsPayload> {
    mayManageApiKeys(caller);
    const { apiKeyId, ...change } = input;
    this.looks.delete(context);
    await this.service.changeKey(caller.tenantId, apiKeyId, change);
    return { apiKey: apiKeyView(await this.keys.find(caller.tenantId, apiKeyId)) };
  }

  private async of(caller: Caller, { id }: ApiKeyType, context: object): Promise<LimitsInUse> {
    let look = this.looks.get(context);
    if (!look) this.looks.set(context, (look = this.service.ofKeys(caller.tenantId)));
    return (await look)(id);
  }
}
