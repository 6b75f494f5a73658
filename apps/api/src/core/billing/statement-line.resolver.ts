import { Args, Parent, ResolveField, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { decodeCursor, PageArgs, pageOf, type Connection } from '../../base/graphql/connection.js';
import type { StatementLineView } from './statement-line.view.js';
import { type BilledGeneration, BilledGenerationConnection, StatementLineType } from './statement-line.types.js';
import { StatementService } from './statement.service.js';

@Resolver(() => StatementLineType)
export class StatementLineResolver {
  constructor(private readonly service: StatementService) {}

  @ResolveField(() => BilledGenerationConnection, { description: 'What the line is the sum of, newest first.' })
  generations(
    @CurrentCaller() caller: Caller,
    @Parent() { month, row }: StatementLineView,
    @Args() page: PageArgs,
  ): Promise<Connection<BilledGeneration>> {
    return this.service.entries(caller.tenantId, month, row, pageOf(page, decodeCursor));
  }
}
