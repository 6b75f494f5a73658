/** The answers of chats and completions in OpenAI's shape. */
import type { FinishReason, PredictionTokens } from '@aril/contracts';
import type { Echo, Outcome, OutcomeChoice } from '../generations/events/collect.js';
import { chatLogprobs, completionLogprobs, echoLogprobs } from './openai-logprobs.js';
import type { OfferedTools } from './tools/offered-tools.js';
import { toolCallId } from './tools/tool-call-id.js';
import { readAnswer } from './tools/whole-answer.js';

/** Which of the two endpoints answers; they differ in names and in where the text sits. */
export type Flavour = 'chat' | 'completion';

export interface Head {
  flavour: Flavour;
  /** The first prompt's. */
  generationId: string;
  /** Seconds since the epoch. */
  created: number;
  /** As the caller wrote it. */
  model: string;
  /** How many choices each prompt has. */
  n: number;
  /** What the answers may call. */
  tools: OfferedTools | null;
}

export interface Usage {
  promptTokens: number;
  cachedTokens: number;
  completionTokens: number;
  /** Of the completion tokens. */
  reasoningTokens?: number | undefined;
  /** Of what was predicted; of no other's count. Absent: nothing was. */
  predictionTokens?: PredictionTokens | undefined;
}

const id = (head: Head): string => `${head.flavour === 'chat' ? 'chatcmpl' : 'cmpl'}-${head.generationId}`;

/** Of all prompts together. */
export function usageOf(parts: readonly Usage[]) {
  const sum = (key: keyof Omit<Usage, 'predictionTokens'>): number => parts.reduce((total, part) => total + (part[key] ?? 0), 0);
  const predictions = parts.flatMap(({ predictionTokens }) => predictionTokens ?? []);
  const predicted = (key: keyof PredictionTokens): number => predictions.reduce((total, part) => total + part[key], 0);
  const [prompt, completion] = [sum('promptTokens'), sum('completionTokens')];
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: sum('cachedTokens') },
    completion_tokens_details: {
      reasoning_tokens: sum('reasoningTokens'),
      ...(predictions.length > 0 && { accepted_prediction_tokens: predicted('accepted'), rejected_prediction_tokens: predicted('rejected') }),
    },
  };
}

export const base = (head: Head, object: string) => ({
  id: id(head),
  object,
  created: head.created,
  model: head.model,
  system_fingerprint: null,
});

/** `outcomes`: one per prompt; their choices are numbered through. */
export function wholeAnswer(head: Head, outcomes: readonly Outcome[]): object {
  const chat = head.flavour === 'chat';
  const choices = outcomes.flatMap((outcome) => outcome.choices.map((choice) => ({ ...choice, prompt: outcome.prompt })));
  return {
    ...base(head, chat ? 'chat.completion' : 'text_completion'),
    choices: choices.map(chat ? (choice, index) => chatChoice(head, choice, index) : completionChoice),
    usage: usageOf(outcomes),
  };
}

function chatChoice({ tools, generationId }: Head, { text, finishReason, logprobs, reasoningTokens }: OutcomeChoice, index: number): object {
  const answer = readAnswer(text, tools, reasoningTokens);
  const calls = answer.calls.map((call, at) => ({ id: toolCallId(generationId, index, at), type: 'function', function: call }));
  return {
    index,
    message: {
      role: 'assistant',
      content: answer.content,
      refusal: null,
      ...(answer.reasoning !== '' && { reasoning_content: answer.reasoning }),
      ...(calls.length > 0 && { tool_calls: calls }),
    },
    logprobs: logprobs && chatLogprobs(logprobs),
    finish_reason: finishOf(finishReason, tools, calls.length),
  };
}

/**
 * As OpenAI's: a function that had to be called is no reason of its own. Nobody cancels an answer there, and clients that
 * check what they get (the types of openai-python) know its reasons alone: cut short, as by too few tokens, is what it is.
 */
export function finishOf(reason: FinishReason, tools: OfferedTools | null, calls: number): string {
  if (reason === 'cancelled') return 'length';
  return reason === 'stop' && calls > 0 && tools?.duty !== 'function' ? 'tool_calls' : reason;
}

function completionChoice({ prompt, text, finishReason, logprobs }: OutcomeChoice & { prompt: Echo | null }, index: number): object {
  const all = [...echoLogprobs(prompt), ...(logprobs ?? [])];
  return {
    index,
    text: (prompt?.text ?? '') + text,
    logprobs: all.length > 0 ? completionLogprobs(all, 0) : null,
    finish_reason: finishOf(finishReason, null, 0),
  };
}
