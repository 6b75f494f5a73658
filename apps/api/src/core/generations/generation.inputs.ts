import { Field, Float, ID, InputType, Int, registerEnumType } from '@nestjs/graphql';

export const MessageRoleEnum = { SYSTEM: 'SYSTEM', USER: 'USER', ASSISTANT: 'ASSISTANT' } as const;
registerEnumType(MessageRoleEnum, { name: 'MessageRole' });

@InputType()
export class MessageInput {
  @Field(() => MessageRoleEnum)
  role!: keyof typeof MessageRoleEnum;

  @Field(() => String)
  content!: string;

  @Field(() => String, {
    nullable: true,
    description: "Of an ASSISTANT's: what it thought before. The model's chat template does with it what the model expects.",
  })
  reasoning?: string | null;
}

@InputType()
export class LogitBiasInput {
  @Field(() => Int, { description: 'A token id of the model.' })
  token!: number;

  @Field(() => Float, { description: '-100 to 100, added to its logit: -100 bans it, 100 all but forces it.' })
  bias!: number;
}

@InputType()
export class SamplingInput {
  @Field(() => Float, { nullable: true })
  temperature?: number | null;

  @Field(() => Float, { nullable: true })
  topP?: number | null;

  @Field(() => Int, { nullable: true })
  topK?: number | null;

  @Field(() => Float, { nullable: true })
  minP?: number | null;

  @Field(() => Float, { nullable: true, description: 'Above 0, up to 2; 1 is off. Counts tokens of prompt and output.' })
  repetitionPenalty?: number | null;

  @Field(() => Float, { nullable: true, description: '-2 to 2, for each time a token is in the output.' })
  frequencyPenalty?: number | null;

  @Field(() => Float, { nullable: true, description: '-2 to 2, for a token that is in the output.' })
  presencePenalty?: number | null;

  @Field(() => [LogitBiasInput], { nullable: true, description: 'At most 300.' })
  logitBias?: LogitBiasInput[] | null;

  @Field(() => Float, { nullable: true, description: '0 to 4294967295.' })
  seed?: number | null;

  @Field(() => Int, { nullable: true })
  maxTokens?: number | null;

  @Field(() => Int, { nullable: true, description: 'No end token and none of `stopTokens` is chosen before.' })
  minTokens?: number | null;

  @Field(() => [String], { nullable: true })
  stop?: string[] | null;

  @Field(() => [Int], { nullable: true })
  stopTokens?: number[] | null;

  @Field(() => Boolean, { nullable: true })
  ignoreEos?: boolean | null;
}

@InputType({ description: 'What the text of every answer matches as a whole. Exactly one of the fields.' })
export class ConstraintInput {
  @Field(() => Boolean, { nullable: true, description: 'true: a JSON object, whatever is in it.' })
  json?: boolean | null;

  @Field(() => String, { nullable: true, description: 'A JSON Schema, as JSON text.' })
  jsonSchema?: string | null;

  @Field(() => String, { nullable: true })
  regex?: string | null;

  @Field(() => String, { nullable: true, description: "EBNF as XGrammar and llama.cpp write it; the rule `root` is the whole." })
  grammar?: string | null;
}

@InputType({ description: 'Exactly one of `prompt` and `messages`.' })
export class GenerateInput {
  @Field(() => String, { description: "An adapter's or a deployment's slug, or a base model's id." })
  target!: string;

  @Field(() => String, {
    nullable: true,
    description: 'At most 1024 characters, such as the id of your user: equal keys have the same variant of a deployment. Left out: any, by weight.',
  })
  routingKey?: string | null;

  @Field(() => String, { nullable: true })
  prompt?: string | null;

  @Field(() => [MessageInput], { nullable: true })
  messages?: MessageInput[] | null;

  @Field(() => Boolean, {
    nullable: true,
    description: "true: the last of `messages` is an ASSISTANT's, and the answer goes on where its text ends: it is the rest of it.",
  })
  continueFinal?: boolean | null;

  @Field(() => SamplingInput, { nullable: true })
  sampling?: SamplingInput | null;

  @Field(() => Int, { nullable: true, description: 'Answers to the prompt, 1 to 16; default 1.' })
  n?: number | null;

  @Field(() => Int, {
    nullable: true,
    description: "0 to 20: each token's log probability, with so many alternatives. Left out: none.",
  })
  logprobs?: number | null;

  @Field(() => ConstraintInput, { nullable: true })
  constraint?: ConstraintInput | null;

  @Field(() => String, {
    nullable: true,
    description: 'At most 100000 characters: what the answer is thought to be, for the most part. It comes faster where it is, and is the same either way.',
  })
  prediction?: string | null;

  @Field(() => String, {
    nullable: true,
    description:
      'At most 255 characters; the same key and input give the same generation, a different input is a conflict.',
  })
  idempotencyKey?: string | null;
}

@InputType()
export class CancelGenerationInput {
  @Field(() => ID)
  generationId!: string;
}
