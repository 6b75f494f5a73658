import { Field, ID, Int, ObjectType } from '@nestjs/graphql';
import { connectionOf } from '../../base/graphql/connection.js';
import { NanoUsdScalar } from '../../base/graphql/scalars.js';
import { StatementTotalsType } from './statement.types.js';

/** `generations` are resolved apart. */
@ObjectType('StatementLine', { description: 'What one target, API key, price and month of use add up to.' })
export class StatementLineType extends StatementTotalsType {
  @Field(() => ID)
  id!: string;

  @Field(() => Int)
  position!: number;

  @Field(() => String, { description: 'YYYY-MM. Before the month of the statement: an adjustment, of usage that was settled too late for its own.' })
  serviceMonth!: string;

  @Field(() => Boolean)
  adjustment!: boolean;

  @Field(() => ID)
  baseModelId!: string;

  @Field(() => ID, { nullable: true, description: 'null: the base model itself.' })
  adapterId!: string | null;

  @Field(() => String)
  target!: string;

  @Field(() => String, { nullable: true, description: 'What answered, where the target is a deployment; null: the target itself.' })
  variant!: string | null;

  @Field(() => ID, { nullable: true, description: 'null: people, in the portal.' })
  apiKeyId!: string | null;

  @Field(() => String, { nullable: true })
  apiKeyName!: string | null;

  @Field(() => ID)
  priceId!: string;

  @Field(() => NanoUsdScalar)
  promptNanoUsdPerToken!: bigint;

  @Field(() => NanoUsdScalar)
  completionNanoUsdPerToken!: bigint;
}

@ObjectType({ description: 'What the ledger has of one generation; `generation(id)` tells more.' })
export class BilledGeneration {
  @Field(() => ID, { description: "The generation's." })
  id!: string;

  @Field(() => Date)
  at!: Date;

  @Field(() => Boolean)
  failed!: boolean;

  @Field(() => Int)
  promptTokens!: number;

  @Field(() => Int)
  cachedTokens!: number;

  @Field(() => Int)
  completionTokens!: number;

  @Field(() => NanoUsdScalar)
  amount!: bigint;
}

@ObjectType()
export class BilledGenerationConnection extends connectionOf(BilledGeneration, 'BilledGeneration') {}
