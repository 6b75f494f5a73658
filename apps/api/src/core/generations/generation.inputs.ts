import { Field, Float, ID, InputType, Int, registerEnumType } from '@nestjs/graphql';

export const MessageRoleEnum = { SYSTEM: 'SYSTEM', USER: 'USER', ASSISTANT: 'ASSISTANT' } as const;
registerEnumType(MessageRoleEnum, { name: 'MessageRole' });

@InputType()
export class MessageInput {
  @Field(() => MessageRoleEnum)
  role!: keyof typeof MessageRoleEnum;

  @Field(() => String)
  content!: string;
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

  @Field(() => Float, { nullable: true, description: '0 to 4294967295.' })
  seed?: number | null;

  @Field(() => Int, { nullable: true })
  maxTokens?: number | null;

  @Field(() => [String], { nullable: true })
  stop?: string[] | null;

  @Field(() => [Int], { nullable: true })
  stopTokens?: number[] | null;

  @Field(() => Boolean, { nullable: true })
  ignoreEos?: boolean | null;
}

@InputType({ description: 'Exactly one of `prompt` and `messages`.' })
export class GenerateInput {
  @Field(() => String, { description: "An adapter's slug or a base model's id." })
  target!: string;

  @Field(() => String, { nullable: true })
  prompt?: string | null;

  @Field(() => [MessageInput], { nullable: true })
  messages?: MessageInput[] | null;

  @Field(() => SamplingInput, { nullable: true })
  sampling?: SamplingInput | null;

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
