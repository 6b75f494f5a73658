import { Field, Float, ID, InputType, Int, ObjectType } from '@nestjs/graphql';
import { NanoUsdScalar } from '../../base/graphql/scalars.js';
import { DeploymentVariantType } from './deployment.types.js';

@InputType()
export class ComparisonInput {
  @Field(() => Date)
  from!: Date;

  @Field(() => Date)
  to!: Date;
}

const PERCENTILE = 'Milliseconds since a runner took the request, of those that ended by themselves; null: none did.';

@ObjectType('VariantComparison')
export class VariantComparisonType {
  @Field(() => String, { description: "The adapter's slug (kept when the adapter is deleted), or the id of the base model." })
  target!: string;

  @Field(() => ID, { nullable: true, description: 'null: the base model itself.' })
  adapterId!: string | null;

  @Field(() => DeploymentVariantType, { nullable: true, description: 'null: it is a variant no longer.' })
  variant!: DeploymentVariantType | null;

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

  @Field(() => Float, { nullable: true, description: PERCENTILE })
  ttftMsP50!: number | null;

  @Field(() => Float, { nullable: true, description: PERCENTILE })
  ttftMsP95!: number | null;

  @Field(() => Float, { nullable: true, description: PERCENTILE })
  totalMsP50!: number | null;

  @Field(() => Float, { nullable: true, description: PERCENTILE })
  totalMsP95!: number | null;
}

@ObjectType('DeploymentComparison')
export class DeploymentComparisonType {
  @Field(() => Date)
  from!: Date;

  @Field(() => Date)
  to!: Date;

  @Field(() => [VariantComparisonType], { description: 'The variants as they are listed, used or not; then earlier ones that were used.' })
  variants!: VariantComparisonType[];
}
