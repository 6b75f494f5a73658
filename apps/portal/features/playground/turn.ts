import type { ApiError } from '@/lib/api/api-error';
import type { FinishReason, MessageInput } from '@/lib/api/generated/graphql';

export type ReplyState = 'waiting' | 'streaming' | 'finished' | 'failed';

export interface Reply {
  state: ReplyState;
  target: string;
  /** What answers, once that is known: another name than `target` where that is a deployment. */
  variant: string | null;
  text: string;
  /** What the model thought before it answered; "": nothing. */
  reasoning: string;
  /** `broken`: being taken up again. `quiet`: it stands as far as is known, and nothing has come for long. */
  link: 'up' | 'quiet' | 'broken';
  finishReason: FinishReason | null;
  error: ApiError | null;
  promptTokens: number | null;
  /** Of the prompt's tokens, those that an earlier request had brought. */
  cachedTokens: number;
  completionTokens: number;
  /** Of the completion's tokens, those of the thought; counted at the end. */
  reasoningTokens: number;
  /** From pressing "Send" to the first token, as seen here. */
  ttftMs: number | null;
  tokensPerSecond: number | null;
  /** Known once the generation is settled. */
  amount: string | null;
}

/** What someone said and what came back. */
export interface Turn {
  id: string;
  prompt: string;
  reply: Reply;
}

export const newReply = (target: string): Reply => ({
  state: 'waiting',
  target,
  variant: null,
  text: '',
  reasoning: '',
  link: 'up',
  finishReason: null,
  error: null,
  promptTokens: null,
  cachedTokens: 0,
  completionTokens: 0,
  reasoningTokens: 0,
  ttftMs: null,
  tokensPerSecond: null,
  amount: null,
});

/** The conversation so far as the model is given it. Turns that brought no answer are left out with their question. */
export const toMessages = (system: string, turns: readonly Turn[], prompt: string): MessageInput[] => [
  ...(system.trim() ? [{ role: 'SYSTEM' as const, content: system.trim() }] : []),
  ...turns
    .filter(({ reply }) => reply.text !== '')
    .flatMap(({ prompt: said, reply }) => [
      { role: 'USER' as const, content: said },
      {
        role: 'ASSISTANT' as const,
        content: reply.text,
        ...(reply.reasoning ? { reasoning: reply.reasoning } : {}),
      },
    ]),
  { role: 'USER', content: prompt },
];
