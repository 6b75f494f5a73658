import { Args, ID, Parent, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { decodeCursor, PageArgs, pageOf, type Connection } from '../../base/graphql/connection.js';
import { mayReadStatements } from './billing.policy.js';
import { TenantType } from '../tenant/tenant.types.js';
import { StatementLineType } from './statement-line.types.js';
import { lineView, type StatementLineView, totalsView } from './statement-line.view.js';
import { totalsOf } from './statement-totals.js';
import { StatementService } from './statement.service.js';
import { StatementConnection, StatementTotalsType, StatementType } from './statement.types.js';
import type { FullStatement, StatementView } from './statement.view.js';

/** What statements add to a tenant. */
@Resolver(() => TenantType)
export class TenantStatementsResolver {
  constructor(private readonly service: StatementService) {}

  @ResolveField(() => StatementConnection, { description: 'Issued ones, newest first. A month without usage has none.' })
  statements(@CurrentCaller() caller: Caller, @Args() page: PageArgs): Promise<Connection<StatementView>> {
    mayReadStatements(caller);
    return this.service.page(caller.tenantId, pageOf(page, decodeCursor));
  }

  @ResolveField(() => [StatementType], {
    description: 'Previews, newest first: of the current month, and of months that ended and are not issued yet.',
  })
  openStatements(@CurrentCaller() caller: Caller): Promise<StatementView[]> {
    mayReadStatements(caller);
    return this.service.open(caller.tenantId);
  }
}

@Resolver(() => StatementType)
export class StatementResolver {
  constructor(private readonly service: StatementService) {}

  @Query(() => StatementType, { description: '`id` may also be a month, YYYY-MM: its statement, or a preview while it is open.' })
  async statement(@CurrentCaller() caller: Caller, @Args('id', { type: () => ID }) id: string): Promise<FullStatement> {
    mayReadStatements(caller);
    return this.service.withLines(caller.tenantId, await this.service.find(caller.tenantId, id));
  }

  @ResolveField(() => [StatementLineType], { description: 'Adjustments of earlier months come last.' })
  async lines(@CurrentCaller() caller: Caller, @Parent() statement: StatementView): Promise<StatementLineView[]> {
    const { lines, month } = await this.service.withLines(caller.tenantId, statement);
    return lines.map((line) => lineView(month, line));
  }

  @ResolveField(() => StatementLineType, { nullable: true })
  async line(
    @CurrentCaller() caller: Caller,
    @Parent() statement: StatementView,
    @Args('id', { type: () => ID }) id: string,
  ): Promise<StatementLineView | null> {
    return (await this.lines(caller, statement)).find((line) => line.id === id) ?? null;
  }

  @ResolveField(() => StatementTotalsType)
  async totals(@CurrentCaller() caller: Caller, @Parent() statement: StatementView): Promise<StatementTotalsType> {
    return totalsView(totalsOf((await this.service.withLines(caller.tenantId, statement)).lines));
  }
}
