import { Field, Float, ID, InputType, Int, ObjectType, registerEnumType } from '@nestjs/graphql';
import { NanoUsdScalar } from '../../base/graphql/scalars.js';
import type { UsageDimension } from '../../models/usage.model.js';

export const UsageDimensionEnum = {
  DAY: 'DAY',
  TARGET: 'TARGET',
  API_KEY: 'API_KEY',
  BASE_MODEL: 'BASE_MODEL',
} as const satisfies Record<UsageDimension, UsageDimension>;
registerEnumType(UsageDimensionEnum, { name: 'UsageDimension' });

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

  @Field(() => [UsageDimensionEnum], { nullable: true, description: 'What `groups` are by. Default: day and target.' })
  groupBy?: UsageDimension[] | null;
}

@ObjectType()
export class UsageTotals {
  @Field(() => Int)
  requests!: number;

  @Field(() => Int)
  failedRequests!: number;

  @Field(() => Float)
  promptTokens!: number;

  @Field(() => Float, { description: 'Of the prompt tokens, those found computed.' })
  cachedTokens!: number;

  @Field(() => Float)
  completionTokens!: number;

  @Field(() => NanoUsdScalar)
  amount!: bigint;
}

@ObjectType('UsageRow', { description: 'One UTC day of one target, and of each variant of a deployment.' })
export class UsageRowType extends UsageTotals {
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
}

@ObjectType('UsageGroup', { description: 'What it was not grouped by is null.' })
export class UsageGroupType extends UsageTotals {
  @Field(() => String, { nullable: true })
  day!: string | null;

  @Field(() => ID, { nullable: true })
  baseModelId!: string | null;

  @Field(() => ID, { nullable: true, description: 'Also null for the base model itself.' })
  adapterId!: string | null;

  @Field(() => ID, { nullable: true, description: 'Also null for what was asked for itself.' })
  deploymentId!: string | null;

  @Field(() => String, { nullable: true })
  target!: string | null;

  @Field(() => String, { nullable: true, description: 'What answered; the same as `target` unless that is a deployment.' })
  variant!: string | null;

  @Field(() => ID, { nullable: true, description: 'Also null for people, who use no key.' })
  apiKeyId!: string | null;

  @Field(() => String, { nullable: true })
  apiKeyName!: string | null;
}

/** `rows` are resolved apart. */
@ObjectType()
export class UsageReport {
  @Field(() => Date)
  from!: Date;

  @Field(() => Date)
  to!: Date;

  @Field(() => [UsageGroupType], { description: 'By `input.groupBy`, the newest day first.' })
  groups!: UsageGroupType[];

  @Field(() => UsageTotals)
  totals!: UsageTotals;
}
