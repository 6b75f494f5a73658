import { Args, ResolveField, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { targetsOf } from '../../base/auth/targets.js';
import { type Connection, PageArgs, pageOf, toConnection } from '../../base/graphql/connection.js';
import { validInput } from '../../base/errors/validate.js';
import { mayReadAdapters } from './adapter.policy.js';
import { searchSchema } from '../targets/target-input.js';
import { TenantType } from '../tenant/tenant.types.js';
import { adapterCursor, AdapterOrderInput, decodeAdapterCursor, NEWEST_FIRST, toAdapterOrder } from './adapter-order.js';
import { AdapterService } from './adapter.service.js';
import { AdapterConnection, type AdapterStatus, AdapterStatusEnum, StorageUseType } from './adapter.types.js';
import { type AdapterView, toAdapterView } from './adapter.view.js';

/** What adapters add to a tenant. */
@Resolver(() => TenantType)
export class TenantAdaptersResolver {
  constructor(private readonly service: AdapterService) {}

  @ResolveField(() => AdapterConnection)
  async adapters(
    @CurrentCaller() caller: Caller,
    @Args() page: PageArgs,
    @Args('status', { type: () => AdapterStatusEnum, nullable: true }) status: AdapterStatus | null,
    @Args('search', { type: () => String, nullable: true }) search: string | null,
    @Args('orderBy', { type: () => AdapterOrderInput, nullable: true }) orderBy: AdapterOrderInput | null,
  ): Promise<Connection<AdapterView>> {
    mayReadAdapters(caller);
    const filter = { status, ids: targetsOf(caller), ...validInput(searchSchema, { search }) };
    const order = orderBy ? toAdapterOrder(orderBy) : NEWEST_FIRST;
    const asked = pageOf(page, (cursor) => decodeAdapterCursor(order, cursor));
    const { rows, totalCount } = await this.service.page(caller.tenantId, filter, order, asked);
    return toConnection(rows, { ...asked, totalCount }, toAdapterView, (row) => adapterCursor(order, row));
  }

  @ResolveField(() => StorageUseType)
  storage(@CurrentCaller() caller: Caller): Promise<StorageUseType> {
    mayReadAdapters(caller);
    return this.service.storage(caller.tenantId);
  }
}
