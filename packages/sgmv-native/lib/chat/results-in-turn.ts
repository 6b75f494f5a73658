/**
 * Conversations for templates that write the results of calls into the turn that has the calls, as Gemma 4's do: from
 * `tool_responses` beside `tool_calls`, after which the same turn goes on. Newer ones read messages of tools too, but know
 * objects among results only so.
 */
import { randomUUID } from 'node:crypto';
import type { ChatMessage, ToolResponse } from './conversation.js';
import { GEMMA_CALL_BEGIN } from './marks.js';
import { resultsAfter } from './tool-turns.js';

/** Whether a chat template does so. */
export const writesResultsInTurn = (source: string): boolean => source.includes('tool_responses') && source.includes(`${GEMMA_CALL_BEGIN}call:`);

/** Stands before the name of a call, with the number of the text that was said before it: templates write that after the calls. */
const SAID = `\u{E001}${randomUUID()}`;
const SAID_BEFORE = new RegExp(`<\\|tool_call>call:${SAID}(\\d+);`, 'g');
/** In the place of null, for which this Jinja writes nothing; Python's has the word that models know. */
const NOTHING = `\u{E002}${randomUUID()}`;
/** Older templates begin a new turn where the model goes on after results, and none of them ends the turn where it does not. */
const TURN_AFTER_RESULTS = /<tool_response\|><\|turn>(model\n)?/g;

/** `render`: what the template makes of messages. */
export function withResultsInTurn(messages: readonly ChatMessage[], render: (messages: readonly ChatMessage[]) => string): string {
  const said: string[] = [];
  const form = messages.flatMap((message, at) => {
    const [first, ...others] = message.toolCalls ?? [];
    if (!first) return message.role === 'tool' && isAfterCalls(messages, at) ? [] : [message];
    const name = message.content === '' ? first.name : `${SAID}${said.push(message.content) - 1};${first.name}`;
    const toolCalls = [{ ...first, name }, ...others].map((call) => ({ ...call, arguments: withoutNull(call.arguments) }));
    return [{ ...message, content: '', toolCalls, toolResponses: responsesTo(message, resultsAfter(messages, at)) }];
  });
  return render(form)
    .replaceAll(`<|"|>${NOTHING}<|"|>`, 'None')
    .replace(TURN_AFTER_RESULTS, (_all, model?: string) => (model ? '<tool_response|>' : '<tool_response|><turn|>\n<|turn>'))
    .replace(SAID_BEFORE, (_all, index: string) => `${said[Number(index)]?.trim() ?? ''}${GEMMA_CALL_BEGIN}call:`);
}

const isAfterCalls = (messages: readonly ChatMessage[], at: number): boolean => messages.slice(0, at).findLast(({ role }) => role !== 'tool')?.toolCalls !== undefined;

/** In the order of the calls, of which several may have one name. */
function responsesTo({ toolCalls = [] }: ChatMessage, results: readonly ChatMessage[]): ToolResponse[] {
  const indexOf = ({ toolCallId }: ChatMessage): number => toolCalls.findIndex(({ id }) => id === toolCallId);
  return results
    .toSorted((a, b) => indexOf(a) - indexOf(b))
    .map((result) => ({ name: toolCalls[indexOf(result)]?.name ?? result.toolName ?? 'unknown', response: responseOf(result.content) }));
}

/** Objects have their keys beside each other there; all else is one text. */
function responseOf(content: string): ToolResponse['response'] {
  try {
    const value: unknown = JSON.parse(content);
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? withoutNull(value as Record<string, unknown>) : content;
  } catch {
    return content;
  }
}

const withoutNull = <Value>(value: Value): Value => (typeof value === 'string' ? value : (JSON.parse(JSON.stringify(value), (_key, part: unknown) => part ?? NOTHING) as Value));
