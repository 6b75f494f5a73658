import type { ApiError } from '@/lib/api/api-error';
import { withSeparators } from '@/lib/format/quantity';

/** The API's names of inputs, as the settings panel calls them. */
const FIELDS: Record<string, string> = {
  'sampling.temperature': 'Temperature',
  'sampling.topP': 'Top P',
  'sampling.topK': 'Top K',
  'sampling.minP': 'Min P',
  'sampling.maxTokens': 'Max tokens',
  'sampling.minTokens': 'Min tokens',
  'sampling.repetitionPenalty': 'Repetition penalty',
  'sampling.frequencyPenalty': 'Frequency penalty',
  'sampling.presencePenalty': 'Presence penalty',
  'sampling.seed': 'Seed',
  'sampling.stop': 'Stop strings',
  'constraint.jsonSchema': 'JSON schema',
  promptTokens: 'The conversation',
  messages: 'The conversation',
  prompt: 'The message',
  target: 'The target',
};

const TOO_LONG = 'Clear the conversation, shorten the message, or lower max tokens.';

/** An API's error in the words of the playground: its inputs' names become the labels people see. */
export const failureInWords = ({ code, message }: Pick<ApiError, 'code' | 'message'>): string => {
  const [, field, said] = /^([A-Za-z][\w.[\]]*): ([^]*)$/.exec(message) ?? [];
  const name = field?.replace(/[.[]\d+\]?.*$/, '');
  const label = name && FIELDS[name];
  if (name === 'promptTokens' || (code === 'CONTEXT_TOO_LONG' && label))
    return `The conversation is too long for the model: ${withSeparators(said ?? '').replace(/\.$/, '')}. ${TOO_LONG}`;
  // A budget's refusal names what would make the request cost less.
  return withSeparators(label ? `${label}: ${said}` : message.replace('sampling.maxTokens', 'max tokens'));
};
