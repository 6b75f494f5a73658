import { Args, Int, ResolveField, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { validInput } from '../../base/errors/validate.js';
import { type Connection, decodeCursor, toConnection } from '../../base/graphql/connection.js';
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
    @Args('first', { type: () => Int, nullable: true, defaultValue: 20 }) first: number | null,
    @Args('after', { type: () => String, nullable: true }) after: string | null,
    @Args('search', { type: () => String, nullable: true }) search: string | null,
  ): Promise<Connection<DeploymentView>> {
    const size = first ?? 20;
    const asked = validInput(searchSchema, { search });
    const { rows, totalCount } = await this.service.page(caller.tenantId, asked.search ?? null, size, after ?? null);
    const page = { first: size, after: after ? decodeCursor(after) : null, totalCount };
    return toConnection(rows, page, toDeploymentView);
  }
}
