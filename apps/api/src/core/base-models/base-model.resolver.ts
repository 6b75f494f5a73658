import { Int, Parent, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { BaseModelService } from './base-model.service.js';
import { BaseModelType } from './base-model.types.js';
import { RunnerDirectory } from './runner-directory.js';

@Resolver(() => BaseModelType)
export class BaseModelResolver {
  constructor(
    private readonly models: BaseModelService,
    private readonly runners: RunnerDirectory,
  ) {}

  @Query(() => [BaseModelType])
  baseModels(): BaseModelType[] {
    return this.models.list();
  }

  @ResolveField(() => Int, { description: 'Runners serving this model that were heard of in the last 15 seconds.' })
  async runnersOnline(@Parent() model: BaseModelType): Promise<number> {
    return (await this.runners.online()).get(model.id) ?? 0;
  }
}
