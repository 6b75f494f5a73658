import { Args, ID, Mutation, Parent, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { mayUseBatches } from './batch.policy.js';
import { BatchService } from './batch.service.js';
import * as types from './batch.types.js';

@Resolver(() => types.BatchType)
export class BatchResolver {
  constructor(private readonly batches: BatchService) {}

  @Query(() => types.BatchType)
  async batch(@CurrentCaller() caller: Caller, @Args('id', { type: () => ID }) id: string): Promise<types.BatchView> {
    mayUseBatches(caller);
    return types.toBatchView(await this.batches.find(caller, id));
  }

  @ResolveField(() => String, { nullable: true, description: 'null: the file is deleted or has expired.' })
  inputFileName(@Parent() { row }: types.BatchView): Promise<string | null> {
    return this.batches.inputName(row);
  }

  @Mutation(() => types.CreateBatchPayload, { description: 'Its requests are answered within 24 hours, after everything that somebody waits for.' })
  async createBatch(@CurrentCaller() caller: Caller, @Args('input') input: types.CreateBatchInput): Promise<types.CreateBatchPayload> {
    mayUseBatches(caller);
    const { inputFileId, endpoint } = input;
    const row = await this.batches.create(caller, { input_file_id: inputFileId, endpoint, completion_window: '24h' });
    return { batch: types.toBatchView(row) };
  }

  @Mutation(() => types.CancelBatchPayload, { description: 'What was answered until then stays, and is charged.' })
  async cancelBatch(@CurrentCaller() caller: Caller, @Args('input') input: types.CancelBatchInput): Promise<types.CancelBatchPayload> {
    mayUseBatches(caller);
    return { batch: types.toBatchView(await this.batches.cancel(caller, input.batchId)) };
  }
}
