import { Args, Mutation, Parent, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller } from '../../../base/auth/caller.js';
import { HubService } from '../../../integrations/hub/hub.service.js';
import { mayManageAdapters } from '../adapter.policy.js';
import { AdapterType } from '../adapter.types.js';
import { type AdapterView, toAdapterView } from '../adapter.view.js';
import { AdapterImportService } from './adapter-import.service.js';
import { AdapterSourceType, ImportAdapterInput, ImportAdapterPayload } from './import.types.js';

/** What imports add to adapters. */
@Resolver(() => AdapterType)
export class ImportResolver {
  constructor(
    private readonly service: AdapterImportService,
    private readonly hub: HubService,
  ) {}

  @Query(() => String, { nullable: true, description: 'The Hugging Face hub that adapters can be imported from; null: imports are switched off.' })
  hubUrl(): string | null {
    return this.hub.url;
  }

  @ResolveField(() => AdapterSourceType, { nullable: true, description: 'null: it was uploaded.' })
  source(@Parent() { row }: AdapterView): AdapterSourceType | null {
    const { sourceRepository: repository, sourceRevision, sourcePath, sourceCommit: commit } = row;
    return repository === null ? null : { repository, revision: sourceRevision ?? '', path: sourcePath ?? '', commit };
  }

  @ResolveField(() => String, { nullable: true, description: 'Why an import under way does not get on at the moment, and is tried again.' })
  importWaitsFor(@Parent() { row }: AdapterView): Promise<string | null> {
    return this.service.waitsFor(row);
  }

  @Mutation(() => ImportAdapterPayload, {
    description: 'Begins to fetch adapter_config.json and adapter_model.safetensors from a repository of the hub. The adapter is UPLOADING meanwhile, then READY, or REFUSED with its problems. Deleting it ends the import.',
  })
  async importAdapter(@CurrentCaller() caller: Caller, @Args('input') input: ImportAdapterInput): Promise<ImportAdapterPayload> {
    mayManageAdapters(caller);
    return { adapter: toAdapterView(await this.service.start(caller.tenantId, input)) };
  }
}
