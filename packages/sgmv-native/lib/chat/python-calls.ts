/** Calls as LFM2 writes them, `<|tool_call_start|>[now(), weather(city="Oslo")]<|tool_call_end|>`, for templates of its that leave earlier ones out. */
import type { ChatMessage, ToolCall } from './conversation.js';
import { PYTHON_CALLS_BEGIN, PYTHON_CALLS_END } from './marks.js';

/** With their calls as the end of the text. */
export const withCallsInPython = (messages: readonly ChatMessage[]): ChatMessage[] =>
  messages.map(({ toolCalls, ...message }) => (toolCalls ? { ...message, content: `${message.content}${PYTHON_CALLS_BEGIN}[${toolCalls.map(callOf).join(', ')}]${PYTHON_CALLS_END}` } : message));

const callOf = ({ name, arguments: given }: ToolCall): string =>
  `${name}(${typeof given === 'string' ? literal(given) : Object.entries(given).map(([key, value]) => `${key}=${literal(value)}`).join(', ')})`;

/** A text of JSON is one of Python. */
function literal(value: unknown): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
  if (typeof value === 'object') return `{${Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}: ${literal(member)}`).join(', ')}}`;
  return JSON.stringify(value);
}
