import { Args, ResolveField, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { targetsOf } from '../../base/auth/targets.js';
import { validInput } from '../../base/errors/validate.js';
import { type Connection, decodeCursor, encodeCursor, PageArgs, pageOf, toConnection } from '../../base/graphql/connection.js';
import { mayReadDeployments } from './deployment.policy.js';
import { searchSchema } from '../targets/target-input.js';
import { TenantType } from '../tenant/tenant.types.js';
import { DeploymentService } from './deployment.service.js';
import { DeploymentConnection } from './deployment.types.js';
import { type DeploymentView, toDeploymentView } from './deployment.view.js';

/** What deployments add to a tenant. */
@Resolver(() => TenantType)
export class TenantDeploymentsResolver {
  constructor(private readonly service: DeploymentService) {}

  @ResolveField(() => DeploymentConnection)
  async deployments(
    @CurrentCaller() caller: Caller,
    @Args() page: PageArgs,
    @Args('search', { type: () => String, nullable: true }) search: string | null,
  ): Promise<Connection<DeploymentView>> {
    mayReadDeployments(caller);
    const asked = pageOf(page, decodeCursor);
    const filter = { ids: targetsOf(caller), ...validInput(searchSchema, { search }) };
    const { rows, totalCount } = await this.service.page(caller.tenantId, filter, asked);
    return toConnection(rows, { ...asked, totalCount }, toDeploymentView, encodeCursor);
  }
}
