import { Args, ID, Mutation, Parent, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { visibleTo } from '../../base/auth/targets.js';
import { BaseModelService } from '../base-models/base-model.service.js';
import { BaseModelType } from '../base-models/base-model.types.js';
import { mayManageDeployments, mayReadDeployments } from './deployment.policy.js';
import { DeploymentService } from './deployment.service.js';
import * as types from './deployment.types.js';
import { type DeploymentView, toDeploymentView } from './deployment.view.js';

@Resolver(() => types.DeploymentType)
export class DeploymentResolver {
  constructor(
    private readonly deployments: DeploymentService,
    private readonly baseModels: BaseModelService,
  ) {}

  @Query(() => types.DeploymentType)
  async deployment(@CurrentCaller() caller: Caller, @Args('id', { type: () => ID }) id: string): Promise<DeploymentView> {
    mayReadDeployments(caller);
    return toDeploymentView(visibleTo(caller, await this.deployments.get(caller.tenantId, id), 'deployment'));
  }

  @ResolveField(() => BaseModelType)
  baseModel(@Parent() { row }: DeploymentView): BaseModelType {
    return this.baseModels.require(row.baseModelId, 'baseModel');
  }

  @Mutation(() => types.CreateDeploymentPayload, {
    description: 'A name that splits its requests between variants by weight. Equal routing keys have the same variant.',
  })
  async createDeployment(
    @CurrentCaller() caller: Caller,
    @Args('input') input: types.CreateDeploymentInput,
  ): Promise<types.CreateDeploymentPayload> {
    mayManageDeployments(caller);
    return { deployment: toDeploymentView(await this.deployments.create(caller.tenantId, input)) };
  }

  @Mutation(() => types.UpdateDeploymentPayload, {
    description: 'Takes effect with the next request. Of the users, only those move whom the new weights make move.',
  })
  async updateDeployment(
    @CurrentCaller() caller: Caller,
    @Args('input') input: types.UpdateDeploymentInput,
  ): Promise<types.UpdateDeploymentPayload> {
    mayManageDeployments(caller);
    return { deployment: toDeploymentView(await this.deployments.update(caller.tenantId, input.deploymentId, input)) };
  }

  @Mutation(() => types.DeleteDeploymentPayload)
  async deleteDeployment(
    @CurrentCaller() caller: Caller,
    @Args('input') input: types.DeleteDeploymentInput,
  ): Promise<types.DeleteDeploymentPayload> {
    mayManageDeployments(caller);
    await this.deployments.delete(caller.tenantId, input.deploymentId);
    return { deploymentId: input.deploymentId };
  }
}
