/**
 * Tools for models whose chat template does not know them: told in words, in the form that most models with tools of
 * their own were trained on (Nous Research's Hermes), so that their adapters find what they know.
 */
import type { ChatMessage, Tool } from './conversation.js';

/** As templates have it: OpenAI's shape. */
export const toolShape = ({ name, description, parameters }: Tool): object => ({
  type: 'function',
  function: {
    name,
    ...(description === undefined ? {} : { description }),
    parameters: parameters ?? { type: 'object', properties: {} },
  },
});

/** Where the tools are told: some templates refuse a system message. */
export type ToolPlace = 'system' | 'user';

/** The same conversation in roles and texts that every template knows. */
export function inWords(messages: readonly ChatMessage[], tools: readonly Tool[], place: ToolPlace): ChatMessage[] {
  const told = joinResults(messages.map(messageInWords));
  return tools.length === 0 ? told : withInstructions(told, instructions(tools), place);
}

function messageInWords({ role, content, toolCalls = [] }: ChatMessage): ChatMessage {
  if (role === 'tool') return { role: 'user', content: `<tool_response>\n${content}\n</tool_response>` };
  const calls = toolCalls.map(({ name, arguments: given }) => `<tool_call>\n${JSON.stringify({ name, arguments: given })}\n</tool_call>`);
  return { role, content: [content, ...calls].filter((text) => text !== '').join('\n') };
}

/** Several results, and what the user says after them, are one turn: templates may insist on turns that alternate. */
function joinResults(messages: readonly ChatMessage[]): ChatMessage[] {
  return messages.reduce<ChatMessage[]>((joined, message) => {
    const last = joined.at(-1);
    const isResult = last?.role === 'user' && last.content.endsWith('</tool_response>');
    if (!isResult || message.role !== 'user') return [...joined, message];
    return [...joined.slice(0, -1), { role: 'user', content: `${last.content}\n${message.content}` }];
  }, []);
}

function withInstructions(messages: readonly ChatMessage[], text: string, place: ToolPlace): ChatMessage[] {
  const at = messages.findIndex(({ role }) => role === place);
  const found = messages[at];
  if (!found) return [{ role: place, content: text }, ...messages];
  const content = place === 'system' ? `${found.content}\n\n${text}` : `${text}\n\n${found.content}`;
  return messages.with(at, { ...found, content });
}

const instructions = (tools: readonly Tool[]): string => `You can call the functions described here as JSON, one per line:
<tools>
${tools.map((tool) => JSON.stringify(toolShape(tool))).join('\n')}
</tools>
Call one by writing its name and arguments like this, and then wait for its result:
<tool_call>
{"name": "function name", "arguments": {"argument": "value"}}
</tool_call>`;
