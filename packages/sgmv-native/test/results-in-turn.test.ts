/** Conversations in Gemma 4's turns: calls, their results and what the model says then are one turn. */
import { describe, expect, test } from 'vitest';
import { ChatTemplate } from '../lib/chat/chat-template.js';
import type { ChatMessage, Tool } from '../lib/chat/conversation.js';

const WRITE = `{%- macro write(value) -%}
  {%- if value is string -%}{{ '<|"|>' + value + '<|"|>' }}
  {%- elif value is boolean -%}{{ 'true' if value else 'false' }}
  {%- elif value is mapping -%}{{ '{' }}{% for key, one in value | dictsort %}{{ key + ':' }}{{ write(one) }}{{ ',' if not loop.last }}{% endfor %}{{ '}' }}
  {%- elif value is sequence -%}{{ '[' }}{% for one in value %}{{ write(one) }}{{ ',' if not loop.last }}{% endfor %}{{ ']' }}
  {%- else -%}{{ value }}{%- endif -%}
{%- endmacro -%}
{%- macro result(name, value) -%}
  {{- '<|tool_response>response:' + name }}{{ write(value if value is mapping else {'value': value}) }}{{ '<tool_response|>' -}}
{%- endmacro -%}
{%- if enable_thinking or tools %}{{ '<|turn>system\\n' }}{% if enable_thinking %}<|think|>{% endif %}
{%- for tool in tools or [] %}{{ '<|tool>' + tool.function.name }}{% for name, one in tool.function.parameters.properties | dictsort %}{{ ' ' + name + ':' + (one.type | upper) + ('?' if one.nullable else '') }}{% endfor %}<tool|>{% endfor %}{{ '<turn|>\\n' }}{% endif %}
{%- set ns = namespace(last='') -%}`;
const CALLS = `{%- if message.reasoning_content and message.tool_calls %}{{ '<|channel>thought\\n' + message.reasoning_content + '\\n<channel|>' }}{% endif %}
  {%- for call in message.tool_calls or [] %}{{ '<|tool_call>call:' + call.function.name }}{{ write(call.function.arguments) }}{{ '<tool_call|>' }}{% endfor %}`;
const RESPONSES = `{%- for one in message.tool_responses %}{{ result(one.name, one.response) }}{% endfor %}`;
const PROMPT = `{%- if add_generation_prompt %}{% if ns.last != 'response' %}{{ '<|turn>model\\n' }}{% endif %}{% if not enable_thinking %}{{ '<|channel>thought\\n<channel|>' }}{% endif %}{% endif %}`;

/** As the first ones: they know results in no other place, and each message is a turn. */
const OLDER = `${WRITE}
{%- for message in messages -%}
  {{- '<|turn>' + ('model' if message.role == 'assistant' else message.role) + '\\n' }}
  {%- set ns.last = '' %}${CALLS}
  {%- if message.tool_responses %}${RESPONSES}{% set ns.last = 'response' %}{% endif %}
  {{- message.content | trim }}{% if message.content or not message.tool_responses %}{{ '<turn|>\\n' }}{% endif %}
{%- endfor %}${PROMPT}`;
/** As the later ones: they look ahead to messages of tools, and a model's turn goes on. */
const NEWER = `${WRITE}
{%- for message in messages -%}{%- if message.role != 'tool' -%}
  {%- set before = namespace(role='') %}{% for other in messages[:loop.index0] %}{% if other.role != 'tool' %}{% set before.role = other.role %}{% endif %}{% endfor %}
  {%- if message.role != 'assistant' or before.role != 'assistant' %}{{ '<|turn>' + ('model' if message.role == 'assistant' else message.role) + '\\n' }}{% endif %}
  {%- set ns.last = '' %}${CALLS}
  {%- if message.get('tool_responses') %}${RESPONSES}{% set ns.last = 'response' %}
  {%- elif message.tool_calls %}{% for other in messages[loop.index0 + 1:] %}{% if other.role == 'tool' %}{{ result(other.name, other.content) }}{% set ns.last = 'response' %}{% endif %}{% endfor %}{% endif %}
  {{- message.content | trim }}{% if message.content or ns.last != 'response' %}{{ '<turn|>\\n' }}{% endif %}
{%- endif %}{% endfor %}${PROMPT}`;

const TOOLS: Tool[] = [{ name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } }, { name: 'now' }];
const ASKED: ChatMessage = { role: 'user', content: 'Oslo?' };
const CALLED: ChatMessage[] = [
  ASKED,
  {
    role: 'assistant',
    content: 'I look. ',
    reasoning: 'hm',
    toolCalls: [{ id: 'a', name: 'weather', arguments: { city: 'a "b" {', days: [1, null], exact: true, at: { zone: null } } }, { id: 'b', name: 'now', arguments: {} }],
  },
  { role: 'tool', content: '12:00', toolCallId: 'b' },
  { role: 'tool', content: '{"c": 3.5, "wind": ["W", null]}', toolCallId: 'a', toolName: 'weather' },
];
const USER: ChatMessage = { role: 'user', content: 'Well?' };
const SAID: ChatMessage = { role: 'assistant', content: 'Cold.' };
const AGAIN: ChatMessage[] = [{ role: 'assistant', content: '', toolCalls: [{ id: 'c', name: 'now', arguments: {} }] }, { role: 'tool', content: '[1]', toolCallId: 'c' }];

const WRITTEN =
  '<|turn>user\nOslo?<turn|>\n<|turn>model\n<|channel>thought\nhm\n<channel|>I look.' +
  '<|tool_call>call:weather{at:{zone:None},city:<|"|>a "b" {<|"|>,days:[1,None],exact:true}<tool_call|><|tool_call>call:now{}<tool_call|>' +
  '<|tool_response>response:weather{c:3.5,wind:[<|"|>W<|"|>,None]}<tool_response|><|tool_response>response:now{value:<|"|>12:00<|"|>}<tool_response|>';
const WRITTEN_AGAIN = '<|tool_call>call:now{}<tool_call|><|tool_response>response:now{value:<|"|>[1]<|"|>}<tool_response|>';
const ASKED_AGAIN = '<turn|>\n<|turn>user\nWell?<turn|>\n<|turn>model\n';

describe.each([['older', OLDER], ['newer', NEWER]])('an %s template that writes results into the turn of their calls', (_age, source) => {
  const template = ChatTemplate.choose(source, undefined, {})!;
  const render = (messages: ChatMessage[], enable_thinking = true, tools: Tool[] = []): string => template.render(messages, tools, { enable_thinking }).replace('<|turn>system\n<|think|><turn|>\n', '');

  test('is one of thoughts, and not of channels', () => {
    expect(template).toMatchObject({ knowsThoughts: true, writesChannels: false, toolsNote: null });
  });

  test.each<[string, ChatMessage[], string]>([
    ['results', CALLED, WRITTEN],
    ['results and what is said then', [...CALLED, SAID, USER], `${WRITTEN}Cold.${ASKED_AGAIN}`],
    ['results and the user', [...CALLED, USER], `${WRITTEN}${ASKED_AGAIN}`],
    ['more calls', [...CALLED, ...AGAIN], `${WRITTEN}${WRITTEN_AGAIN}`],
    ['more calls and what is said then', [...CALLED, ...AGAIN, SAID, USER], `${WRITTEN}${WRITTEN_AGAIN}Cold.${ASKED_AGAIN}`],
  ])('has one turn of calls, %s', (_what, messages, text) => {
    expect(render(messages)).toBe(text);
    expect(render(messages, false)).toBe(`${text}<|channel>thought\n<channel|>`);
  });

  test('goes on where a last answer ends, after results too', () => {
    expect(template.renderUnfinished([...CALLED, SAID], [], {})).toBe(`${WRITTEN}Cold.`);
    expect(template.renderUnfinished([ASKED, { ...SAID, content: 'It is ' }], [], {})).toBe('<|turn>user\nOslo?<turn|>\n<|turn>model\nIt is ');
  });

  test('is told no more than can be of definitions of themselves', () => {
    const names = Array.from({ length: 12 }, (_, index) => `d${index}`);
    const properties = Object.fromEntries(names.map((name) => [name, { $ref: `#/$defs/${name}` }]));
    const $defs = Object.fromEntries(names.map((name) => [name, { type: 'object', properties }]));
    expect(render([USER], true, [{ name: 'f', parameters: { type: 'object', properties, $defs } }])).toMatch(/^<\|turn>system\n<\|think\|><\|tool>f d0:OBJECT d1:/);
  });

  test('is told one type of each argument', () => {
    const properties = { a: { type: ['string', 'null'] }, b: { anyOf: [{ type: 'null' }, { type: 'array', items: { enum: [1] } }], default: null }, c: { $ref: '#/$defs/x' }, d: { type: 'object', properties: { e: true } }, e: { $ref: '#/$defs/none' } };
    const $defs = { x: { type: 'object', properties: { x: { $ref: '#/$defs/x' } } } };
    expect(render([USER], true, [...TOOLS, { name: 'f', parameters: { type: 'object', properties, $defs } }])).toMatch(/^<\|turn>system\n<\|think\|><\|tool>weather city:STRING<tool\|><\|tool>now<tool\|><\|tool>f a:STRING\? b:ARRAY\? c:OBJECT d:OBJECT e:<tool\|><turn\|>/);
  });
});
