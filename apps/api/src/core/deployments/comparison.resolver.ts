import { Args, Parent, ResolveField, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { mayReadUsage } from '../usage/usage.policy.js';
import { ComparisonService } from './comparison.service.js';
import { ComparisonInput, DeploymentComparisonType } from './comparison.types.js';
import { DeploymentType } from './deployment.types.js';
import type { DeploymentView } from './deployment.view.js';

/** Whoever may see a deployment and what the tenant uses may see how its variants do. */
@Resolver(() => DeploymentType)
export class ComparisonResolver {
  constructor(private readonly comparisons: ComparisonService) {}

  @ResolveField(() => DeploymentComparisonType, {
    description: 'Its variants beside each other; `from` inclusive, `to` exclusive, at most 366 days.',
  })
  comparison(
    @CurrentCaller() caller: Caller,
    @Parent() deployment: DeploymentView,
    @Args('input') input: ComparisonInput,
  ): Promise<DeploymentComparisonType> {
    mayReadUsage(caller);
    return this.comparisons.compare(caller.tenantId, deployment, input);
  }
}
