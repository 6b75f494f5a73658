import { Field, ID, Int, ObjectType } from '@nestjs/graphql';
import { NanoUsdScalar } from '../../base/graphql/scalars.js';

@ObjectType('BaseModel')
export class BaseModelType {
  @Field(() => ID, { description: 'e.g. "smollm2-135m-instruct"; usable as `model` everywhere an adapter\'s slug is.' })
  id!: string;

  @Field(() => String)
  name!: string;

  @Field(() => String)
  family!: string;

  @Field(() => String)
  license!: string;

  @Field(() => Int)
  contextTokens!: number;

  @Field(() => NanoUsdScalar)
  promptNanoUsdPerToken!: bigint;

  @Field(() => NanoUsdScalar)
  completionNanoUsdPerToken!: bigint;
}
