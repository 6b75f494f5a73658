import { Inject } from '@nestjs/common';
import { Args, ID, Mutation, Parent, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { visibleTo } from '../../base/auth/targets.js';
import { CONFIG, type Config } from '../../base/config/config.js';
import { BaseModelService } from '../base-models/base-model.service.js';
import { BaseModelType } from '../base-models/base-model.types.js';
import { AdapterFinishService } from './adapter-finish.service.js';
import { mayManageAdapters, mayReadAdapters } from './adapter.policy.js';
import { AdapterService } from './adapter.service.js';
import * as types from './adapter.types.js';
import { type AdapterView, toAdapterView } from './adapter.view.js';
import { UPLOADS_PATH } from './uploads/upload-id.js';
import { UploadFolder } from './uploads/upload-folder.js';

@Resolver(() => types.AdapterType)
export class AdapterResolver {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly adapters: AdapterService,
    private readonly finisher: AdapterFinishService,
    private readonly baseModels: BaseModelService,
    private readonly uploads: UploadFolder,
  ) {}

  @Query(() => types.AdapterType)
  async adapter(@CurrentCaller() caller: Caller, @Args('id', { type: () => ID }) id: string): Promise<AdapterView> {
    mayReadAdapters(caller);
    return toAdapterView(visibleTo(caller, await this.adapters.get(caller.tenantId, id), 'adapter'));
  }

  @ResolveField(() => BaseModelType)
  baseModel(@Parent() { row }: AdapterView): BaseModelType {
    return this.baseModels.require(row.baseModelId, 'baseModel');
  }

  @ResolveField(() => [types.AdapterFileType])
  files(@Parent() { row }: AdapterView): Promise<types.AdapterFileType[]> {
    return this.uploads.progress(row);
  }

  @Mutation(() => types.CreateAdapterPayload, {
    description: 'Starts an adapter; its two files are then sent to the tus endpoint `/uploads` with metadata adapterId, filename.',
  })
  async createAdapter(
    @CurrentCaller() caller: Caller,
    @Args('input') input: types.CreateAdapterInput,
  ): Promise<types.CreateAdapterPayload> {
    mayManageAdapters(caller);
    const row = await this.adapters.create(caller.tenantId, input);
    return { adapter: toAdapterView(row), uploadUrl: this.config.API_URL + UPLOADS_PATH };
  }

  @Mutation(() => types.FinishAdapterUploadPayload, {
    description: 'Validates the uploaded files against the base model: the adapter becomes READY, or REFUSED with its problems. May be repeated.',
  })
  async finishAdapterUpload(
    @CurrentCaller() caller: Caller,
    @Args('input') input: types.FinishAdapterUploadInput,
  ): Promise<types.FinishAdapterUploadPayload> {
    mayManageAdapters(caller);
    return { adapter: toAdapterView(await this.finisher.finish(caller.tenantId, input.adapterId)) };
  }

  @Mutation(() => types.UpdateAdapterPayload)
  async updateAdapter(
    @CurrentCaller() caller: Caller,
    @Args('input') input: types.UpdateAdapterInput,
  ): Promise<types.UpdateAdapterPayload> {
    mayManageAdapters(caller);
    return { adapter: toAdapterView(await this.adapters.update(caller.tenantId, input.adapterId, input)) };
  }

  @Mutation(() => types.DeleteAdapterPayload)
  async deleteAdapter(
    @CurrentCaller() caller: Caller,
    @Args('input') input: types.DeleteAdapterInput,
  ): Promise<types.DeleteAdapterPayload> {
    mayManageAdapters(caller);
    await this.adapters.delete(caller.tenantId, input.adapterId);
    return { adapterId: input.adapterId };
  }
}
