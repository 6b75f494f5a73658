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

@ObjectType('ScoredToken')
export class ScoredTokenType {
  @Field(() => Int)
  token!: number;

  @Field(() => String, { description: 'For people: bytes that are no UTF-8 of their own are replaced in it.' })
  text!: string;

  @Field(() => [Int], { nullable: true, description: 'What it adds to the text; null: a special token, which adds nothing.' })
  bytes!: number[] | null;

  @Field(() => Float, { description: "The model's own, before penalties, bias and temperature; -9999: never." })
  logprob!: number;
}

@ObjectType('TokenLogprob')
export class TokenLogprobType extends ScoredTokenType {
  @Field(() => [ScoredTokenType], { description: 'The likeliest tokens at its place, as many as asked for.' })
  top!: ScoredTokenType[];
}

@ObjectType('GenerationChoice')
export class GenerationChoiceType {
  @Field(() => Int)
  index!: number;

  @Field(() => String, { description: 'Without its thought.' })
  text!: string;

  @Field(() => String, { nullable: true, description: 'What the model thought before it answered; null: nothing.' })
  reasoning!: string | null;

  @Field(() => FinishReasonEnum)
  finishReason!: FinishReasonName;

  @Field(() => Int)
  completionTokens!: number;

  @Field(() => Int, { description: 'Of the completion tokens, those of the thought.' })
  reasoningTokens!: number;
}

@ObjectType({ description: 'Tokens of a prediction, of every choice.' })
export class PredictionTokens {
  @Field(() => Int, { description: 'Those that the answer has where it followed the prediction.' })
  accepted!: number;

  @Field(() => Int, { description: 'The others. They are no completion tokens, and cost nothing.' })
  rejected!: number;
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

  @Field(() => ID, { nullable: true, description: 'The deployment that was asked for and chose the variant.' })
  deploymentId!: string | null;

  @Field(() => String, { description: "What answers: an adapter's slug or the base model's id; the same as `target` unless that is a deployment." })
  variant!: string;

  @Field(() => String, {
    nullable: true,
    description: 'Whole text of the first choice, without its thought, once ended (kept for the retention time), null before.',
  })
  text!: string | null;

  @Field(() => String, {
    nullable: true,
    description: "What the model thought before the first choice's text; null: nothing. There and gone with `text`.",
  })
  reasoning!: string | null;

  @Field(() => [GenerationChoiceType], { nullable: true, description: 'Every answer; there and gone with `text`.' })
  choices!: GenerationChoiceType[] | null;

  @Field(() => FinishReasonEnum, { nullable: true })
  finishReason!: FinishReasonName | null;

  @Field(() => Int, { nullable: true })
  promptTokens!: number | null;

  @Field(() => Int, { nullable: true, description: 'Of the prompt tokens, those that were found computed.' })
  cachedTokens!: number | null;

  @Field(() => Int, { nullable: true, description: 'Of all choices together.' })
  completionTokens!: number | null;

  @Field(() => Int, {
    nullable: true,
    description: 'Of the completion tokens, those of thoughts, their marks included. null: not ended, or before they were counted.',
  })
  reasoningTokens!: number | null;

  @Field(() => PredictionTokens, { nullable: true, description: 'null: not ended, or nothing was predicted.' })
  predictionTokens!: PredictionTokens | null;

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

@ObjectType({ description: 'The prompt, before all else. Only of generations whose request to /v1/completions asked for its echo.' })
export class GenerationPrompt {
  @Field(() => Int)
  seq!: number;

  @Field(() => String)
  text!: string;

  @Field(() => [TokenLogprobType], { nullable: true, description: "Of the prompt's tokens but the first; null when not asked for." })
  logprobs!: TokenLogprobType[] | null;
}

@ObjectType()
export class GenerationTokens {
  @Field(() => Int)
  seq!: number;

  @Field(() => String, { description: 'What it adds to the text.' })
  text!: string;

  @Field(() => String, { description: 'What it adds to the thought; "" for nothing.' })
  reasoning!: string;

  @Field(() => Int)
  choice!: number;

  @Field(() => Int)
  tokenCount!: number;

  @Field(() => [TokenLogprobType], { nullable: true, description: 'One per token; null when not asked for.' })
  logprobs!: TokenLogprobType[] | null;
}

@ObjectType({ description: 'A choice has ended and others go on.' })
export class GenerationChoiceEnd {
  @Field(() => Int)
  seq!: number;

  @Field(() => Int)
  choice!: number;

  @Field(() => String, { description: 'What it adds to the text.' })
  text!: string;

  @Field(() => String, { description: 'What it adds to the thought; "" for nothing.' })
  reasoning!: string;

  @Field(() => FinishReasonEnum)
  finishReason!: FinishReasonName;
}

@ObjectType({ description: 'The last event: every choice has ended. `text` and `reasoning` are those of `choice`, the last one to end.' })
export class GenerationEnd {
  @Field(() => Int)
  seq!: number;

  @Field(() => Int)
  choice!: number;

  @Field(() => String, { description: 'What it adds to the text.' })
  text!: string;

  @Field(() => String, { description: 'What it adds to the thought; "" for nothing.' })
  reasoning!: string;

  @Field(() => FinishReasonEnum)
  finishReason!: FinishReasonName;

  @Field(() => Int)
  promptTokens!: number;

  @Field(() => Int)
  cachedTokens!: number;

  @Field(() => Int, { description: 'Of all choices together.' })
  completionTokens!: number;

  @Field(() => Int, { description: 'Of the completion tokens, those of thoughts, their marks included.' })
  reasoningTokens!: number;

  @Field(() => PredictionTokens, { nullable: true, description: 'null: nothing was predicted.' })
  predictionTokens!: PredictionTokens | null;

  @Field(() => GenerationErrorType, { nullable: true })
  error!: GenerationErrorType | null;
}

const EVENTS = { prompt: GenerationPrompt, tokens: GenerationTokens, choiceEnd: GenerationChoiceEnd, end: GenerationEnd };

/** `type` is the contract's; it tells the types apart and is not part of the schema. */
export type GenerationEventView =
  | (GenerationPrompt & { type: 'prompt' })
  | (GenerationTokens & { type: 'tokens' })
  | (GenerationChoiceEnd & { type: 'choiceEnd' })
  | (GenerationEnd & { type: 'end' });

export const GenerationEventUnion = createUnionType({
  name: 'GenerationEvent',
  types: () => [GenerationPrompt, GenerationTokens, GenerationChoiceEnd, GenerationEnd] as const,
  resolveType: (event: GenerationEventView) => EVENTS[event.type],
});
