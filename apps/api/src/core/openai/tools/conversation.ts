/** A conversation and the functions it offers, as both endpoints that have them ask for an answer. */
import type { ChatMessage } from '@aril/contracts';
import type { GenerationInput } from '../../generations/generation-request.js';
import { textsOf } from '../chat-messages.js';
import type { NamedConstraint } from '../openai-constraint.js';
import { checkLength, type OpenAiRequest } from '../openai-request.js';
import { offeredTools, toldTools, type ToolOffer } from './offered-tools.js';
import { withTools } from './tool-constraint.js';

interface Conversation {
  /** What the caller calls the messages. */
  param: string;
  messages: ChatMessage[];
  offer: ToolOffer;
  /** What the answer must be where it is no call; read last, so that it is not refused before the tools are. */
  asked: () => NamedConstraint | null;
  /** The answer goes on where the last message, an assistant's, ends. */
  continueFinal?: boolean | undefined;
}

export function conversation({ param, messages, offer, asked, continueFinal = false }: Conversation): Pick<OpenAiRequest, 'constraint' | 'tools'> & {
  input: Extract<GenerationInput, { kind: 'messages' }>;
} {
  const offered = offeredTools(offer);
  const tools = offered && toldTools(offered);
  checkLength(param, [...textsOf(messages), JSON.stringify(tools)]);
  const constraint = offered ? withTools(asked(), offered) : asked();
  return {
    input: { kind: 'messages', messages, ...(tools && { tools }), ...(continueFinal && { continueFinal }) },
    constraint,
    tools: offered && { ...offered, isConstrained: constraint !== null },
  };
}
