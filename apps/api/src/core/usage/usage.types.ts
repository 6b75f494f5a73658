import { Field, Float, ID, InputType, Int, ObjectType } from '@nestjs/graphql';
import { NanoUsdScalar } from '../../base/graphql/scalars.js';

@InputType()
export class UsageInput {
  @Field(() => Date)
  from!: Date;

  @Field(() => Date)
  to!: Date;

  @Field(() => ID, { nullable: true })
  adapterId?: string | null;

  @Field(() => ID, { nullable: true })
  deploymentId?: string | null;
}

@ObjectType('UsageRow', { description: 'One UTC day of one target, and of each variant of a deployment.' })
export class UsageRowType {
  @Field(() => String)
  day!: string;

  @Field(() => ID)
  baseModelId!: string;

  @Field(() => ID, { nullable: true, description: 'null: the base model itself.' })
  adapterId!: string | null;

  @Field(() => ID, { nullable: true, description: 'null: the adapter or the base model was asked for itself.' })
  deploymentId!: string | null;

  @Field(() => String, { description: "What was asked for: a slug (kept when its adapter or deployment is deleted), or the base model's id." })
  target!: string;

  @Field(() => String, { description: 'What answered; the same as `target` unless that is a deployment.' })
  variant!: string;

  @Field(() => Int)
  requests!: number;

  @Field(() => Int)
  failedRequests!: number;

  @Field(() => Float)
  promptTokens!: number;

  @Field(() => Float)
  completionTokens!: number;

  @Field(() => NanoUsdScalar)
  amount!: bigint;
}

@ObjectType()
export class UsageTotals {
  @Field(() => Int)
  requests!: number;

  @Field(() => Float)
  promptTokens!: number;

  @Field(() => Float)
  completionTokens!: number;

  @Field(() => NanoUsdScalar)
  amount!: bigint;
}

@ObjectType()
export class UsageReport {
  @Field(() => Date)
  from!: Date;

  @Field(() => Date)
  to!: Date;

  @Field(() => [UsageRowType])
  rows!: UsageRowType[];

  @Field(() => UsageTotals)
  totals!: UsageTotals;
}
