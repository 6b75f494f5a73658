import { createUnionType, Field, Float, ID, Int, ObjectType, registerEnumType } from '@nestjs/graphql';
import { NanoUsdScalar } from '../../base/graphql/scalars.js';

export const GenerationStatusEnum = {
  QUEUED: 'QUEUED',
  RUNNING: 'RUNNING',
  SUCCEEDED: 'SUCCEEDED',
  FAILED: 'FAILED',
  CANCELLED: 'CANCELLED',
} as const;
export type GenerationStatus = keyof typeof GenerationStatusEnum;
registerEnumType(GenerationStatusEnum, { name: 'GenerationStatus' });

export const FinishReasonEnum = { STOP: 'STOP', LENGTH: 'LENGTH', CANCELLED: 'CANCELLED', ERROR: 'ERROR' } as const;
export type FinishReasonName = keyof typeof FinishReasonEnum;
registerEnumType(FinishReasonEnum, { name: 'FinishReason' });

@ObjectType('GenerationError')
export class GenerationErrorType {
  @Field(() => String)
  code!: string;

  @Field(() => String)
  message!: string;

  @Field(() => Boolean)
  retryable!: boolean;
}

@ObjectType('Generation')
export class GenerationType {
  @Field(() => ID)
  id!: string;

  @Field(() => GenerationStatusEnum)
  status!: GenerationStatus;

  @Field(() => String)
  target!: string;

  @Field(() => ID)
  baseModelId!: string;

  @Field(() => ID, { nullable: true })
  adapterId!: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'Whole text once ended (kept for the retention time), null before.',
  })
  text!: string | null;

  @Field(() => FinishReasonEnum, { nullable: true })
  finishReason!: FinishReasonName | null;

  @Field(() => Int, { nullable: true })
  promptTokens!: number | null;

  @Field(() => Int, { nullable: true })
  completionTokens!: number | null;

  @Field(() => NanoUsdScalar, { nullable: true })
  amount!: bigint | null;

  @Field(() => GenerationErrorType, { nullable: true })
  error!: GenerationErrorType | null;

  @Field(() => Date)
  createdAt!: Date;

  @Field(() => Date, { nullable: true })
  finishedAt!: Date | null;

  @Field(() => Float, { nullable: true })
  queueMs!: number | null;

  @Field(() => Float, { nullable: true })
  ttftMs!: number | null;

  @Field(() => Float, { nullable: true })
  totalMs!: number | null;
}

@ObjectType()
export class GeneratePayload {
  @Field(() => GenerationType)
  generation!: GenerationType;
}

@ObjectType()
export class CancelGenerationPayload {
  @Field(() => GenerationType)
  generation!: GenerationType;
}

@ObjectType()
export class GenerationTokens {
  @Field(() => Int)
  seq!: number;

  @Field(() => String)
  text!: string;

  @Field(() => Int)
  tokenCount!: number;
}

@ObjectType()
export class GenerationEnd {
  @Field(() => Int)
  seq!: number;

  @Field(() => String)
  text!: string;

  @Field(() => FinishReasonEnum)
  finishReason!: FinishReasonName;

  @Field(() => Int)
  promptTokens!: number;

  @Field(() => Int)
  completionTokens!: number;

  @Field(() => GenerationErrorType, { nullable: true })
  error!: GenerationErrorType | null;
}

export const GenerationEventUnion = createUnionType({
  name: 'GenerationEvent',
  types: () => [GenerationTokens, GenerationEnd] as const,
  resolveType: (event: GenerationTokens | GenerationEnd) => ('finishReason' in event ? GenerationEnd : GenerationTokens),
});
