import { Field, ID, InputType, Int, ObjectType } from '@nestjs/graphql';
import { NanoUsdScalar } from '../../base/graphql/scalars.js';
import { TenantType } from '../tenant/tenant.types.js';

@ObjectType('Limits', { description: 'null: no limit.' })
export class LimitsType {
  @Field(() => Int, { nullable: true, description: 'As many at once, too; they come back evenly. Each prompt of a list is one.' })
  requestsPerMinute!: number | null;

  @Field(() => Int, { nullable: true, description: 'Prompt and completion. A request takes the most it can use, and gives back the rest when it ends.' })
  tokensPerMinute!: number | null;

  @Field(() => Int, { nullable: true, description: 'Requests that wait or run.' })
  parallelRequests!: number | null;
}

@ObjectType('Budget', { description: 'Of the current calendar month in UTC.' })
export class BudgetType {
  @Field(() => NanoUsdScalar, { nullable: true, description: 'Spending more than this is warned of.' })
  soft!: bigint | null;

  @Field(() => NanoUsdScalar, { nullable: true, description: 'Never exceeded: what could is refused as BUDGET_EXCEEDED.' })
  hard!: bigint | null;

  @Field(() => NanoUsdScalar)
  spent!: bigint;

  @Field(() => NanoUsdScalar, { description: 'The most that requests which wait or run can still cost.' })
  reserved!: bigint;

  @Field(() => Date)
  resetsAt!: Date;
}

@ObjectType({ description: "What the operator lets no tenant raise its limits above; null: anything." })
export class LimitCeilings extends LimitsType {
  @Field(() => NanoUsdScalar, { nullable: true })
  budgetHard!: bigint | null;
}

@InputType({ description: 'What is left out stays as it is; null removes the limit.' })
export class LimitsInput {
  @Field(() => Int, { nullable: true })
  requestsPerMinute?: number | null;

  @Field(() => Int, { nullable: true })
  tokensPerMinute?: number | null;

  @Field(() => Int, { nullable: true })
  parallelRequests?: number | null;

  @Field(() => NanoUsdScalar, { nullable: true })
  budgetSoft?: bigint | null;

  @Field(() => NanoUsdScalar, { nullable: true })
  budgetHard?: bigint | null;
}

@InputType()
export class UpdateTenantLimitsInput extends LimitsInput {}

@InputType()
export class UpdateApiKeyLimitsInput extends LimitsInput {
  @Field(() => ID)
  apiKeyId!: string;
}

@ObjectType()
export class UpdateTenantLimitsPayload {
  @Field(() => TenantType)
  tenant!: TenantType;
}
