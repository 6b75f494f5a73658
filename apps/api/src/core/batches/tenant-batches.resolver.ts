import { Args, ResolveField, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { type Connection, decodeCursor, encodeCursor, PageArgs, pageOf, toConnection } from '../../base/graphql/connection.js';
import { TenantType } from '../tenant/tenant.types.js';
import { mayUseBatches } from './batch.policy.js';
import { BatchService } from './batch.service.js';
import { BatchConnection, type BatchView, toBatchView } from './batch.types.js';

/** What batches add to a tenant. */
@Resolver(() => TenantType)
export class TenantBatchesResolver {
  constructor(private readonly service: BatchService) {}

  @ResolveField(() => BatchConnection, { description: 'Newest first.' })
  async batches(@CurrentCaller() caller: Caller, @Args() page: PageArgs): Promise<Connection<BatchView>> {
    mayUseBatches(caller);
    const asked = pageOf(page, decodeCursor);
    const { rows, totalCount } = await this.service.page(caller, asked);
    return toConnection(rows, { ...asked, totalCount }, toBatchView, encodeCursor);
  }
}
