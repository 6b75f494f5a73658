/** Answers in channels, as gpt-oss writes them: how they are recognised, and which tokens are of thoughts. */
import { describe, expect, test } from 'vitest';
import { ChatTemplate } from '../lib/chat/chat-template.js';
import type { ChatMessage, Tool } from '../lib/chat/conversation.js';
import { findChannelTokens, withMarks } from '../lib/chat/channels.js';
import { ChannelMeter, channelsAfter, markless } from '../lib/index.js';

const NAMES = ['start', 'channel', 'message', 'constrain', 'end', 'return', 'call'].map((name) => `<|${name}|>`);
const tokenizerOf = (names: readonly string[], special = true) => ({
  model: { vocab: {} },
  added_tokens: names.map((content, index) => ({ id: index, content, special })),
});
const CHANNELS = findChannelTokens(tokenizerOf(NAMES))!;
/** Marks first, then whatever the texts are. */
const tokensOf = (parts: readonly string[]): number[] => parts.map((part, index) => (NAMES.includes(part) ? NAMES.indexOf(part) : 100 + index));

describe('channels', () => {
  test('are those of special tokens, some of which may be lacking', () => {
    expect([...CHANNELS.marks]).toEqual([[0, '\u0001'], [1, '\u0002'], [2, '\u0003'], [3, '\u0004'], [4, '\u0005']]);
    expect(CHANNELS.last).toEqual([5, 6]);
    expect(findChannelTokens(tokenizerOf(NAMES, false))).toBeNull();
    expect(findChannelTokens(tokenizerOf(['<|end|>', '<|start|>', '<|message|>']))).toBeNull();
    expect(findChannelTokens(tokenizerOf(['<|end|>', '<|start|>', '<|message|>', '<|channel|>']))).toMatchObject({ last: [] });
    expect(findChannelTokens({ model: { vocab: {} } })).toBeNull();
  });

  test('have marks that no other token has', () => {
    const vocabulary = [null, null, null, null, null, null, Buffer.from('a'), Buffer.from('\u0002'), Buffer.from('x\u0005\u0006')];
    const texts = withMarks(vocabulary, CHANNELS).map((bytes) => bytes && Buffer.from(bytes).toString());
    expect(texts).toEqual(['\u0001', '\u0002', '\u0003', '\u0004', '\u0005', null, 'a', '\ufffd', 'x\ufffd\u0006']);
    expect(markless('a\u0001b\u0005')).toBe('ab');
  });

  test.each<[string[], boolean]>([
    [['<|end|>', '<|start|>', 'assistant'], true],
    [['<|start|>', 'assist', 'ant'], true],
    [['<|start|>', 'assistant', '<|channel|>', 'final', '<|message|>'], false],
    [['<|start|>', 'user'], false],
    [['assistant'], false],
  ])('begin after %j: %s', (parts, begin) => {
    const tokens = tokensOf(parts);
    expect(channelsAfter(tokens, CHANNELS, (some) => some.map((token) => parts[tokens.indexOf(token)]).join(''))).toBe(begin);
  });

  const T = ['<|channel|>', 'analysis', '<|message|>', 'h', 'm', '<|end|>'];
  const A = ['<|start|>', 'assistant'];
  const F = ['<|channel|>', 'final', '<|message|>', 'Yes', '<|return|>'];
  const C = ['<|channel|>', 'commentary', ' to=', 'functions.f', '<|message|>', '{}'];
  test.each<[string, string[], number]>([
    ['a thought and an answer', [...T, ...A, ...F], 6 + 2 + 3],
    ['an answer alone', F, 3],
    ['two thoughts and a call', [...T, ...A, ...T, ...A, ...C, '<|call|>'], 8 + 8 + 5],
    ['a call whose recipient comes first', [' to', '=functions.f', '<|channel|>', 'commentary', '<|message|>', '{}'], 5],
    ['a thought between texts', [...C.toSpliced(2, 2), '<|end|>', ...A, ...T, ...A, ...F], 3 + 2 + 6],
    ['a call in the channel of thoughts', ['<|channel|>', 'analysis', ' to=functions.f', '<|message|>', '{', '}'], 4],
    ['a thought to a tool of the model', ['<|channel|>', 'analysis', ' to=python', '<|message|>', '1'], 5],
    ['a thought that is cut', T.slice(0, 5), 5],
    ['a header that is cut', T.slice(0, 2), 2],
    ['a second header that is cut', [...F.slice(0, 4), '<|end|>', ...A, '<|channel|>', 'analysis'], 3],
    ['a thought without an end', [...T.slice(0, 5), '<|channel|>', 'final', '<|message|>', 'Yes'], 5 + 3],
    ['a header begun twice', ['<|channel|>', '??', '<|end|>', ...A, ...T], 3 + 2 + 6],
    ['text', ['Yes', '<|end|>', ...A, ...T], 0],
    ['text that is cut', [' to'], 0],
    ['nothing', [], 0],
  ])('%s: of %j, %i tokens are of thoughts, however they come', (_what, parts, count) => {
    const tokens = tokensOf(parts);
    const meter = () => new ChannelMeter(CHANNELS.marks, (token) => Buffer.from(parts[tokens.indexOf(token)]!));
    expect(meter().read(tokens)).toBe(count);
    const slow = meter();
    expect(tokens.reduce((sum, token) => sum + slow.read([token]), 0)).toBe(count);
    expect(slow.isPlain).toBe(parts[0] === 'Yes');
  });
});

/** Of gpt-oss's structure, and as particular: the first of several calls, descriptions as they are, a thought or a text. */
const TEMPLATE = `<|start|>system<|message|>Date: {{ strftime_now('%Y') }}. Reasoning: {{ reasoning_effort if reasoning_effort is defined else 'medium' }}<|end|>
{%- macro typed(spec) -%}{% if spec.type == 'array' %}{{ typed(spec['items']) + '[]' }}{% elif spec.enum %}{{ '"' + spec.enum | join('" | "') + '"' }}{% else %}{{ spec.type }}{% endif %}{%- endmacro -%}
{%- if tools %}{{ '<|start|>developer<|message|>namespace functions {' }}{% for tool in tools %}{% set tool = tool.function %}{{ '// ' + tool.description + '\\n' }}
{%- for name, spec in tool.parameters.properties.items() %}{{ name + ('' if name in (tool.parameters.required or []) else '?') + ': ' + typed(spec) + ', ' }}{% endfor %}{% endfor %}{{ '}<|end|>' }}{% endif %}
{%- set last = namespace(name=none) %}
{%- for message in messages %}
{%- if message.role == 'assistant' and 'tool_calls' in message %}
{%- set call = message.tool_calls[0].function %}
{%- if message.content and message.thinking %}{{ raise_exception('not both') }}{% endif %}
{%- if message.content or message.thinking %}{{ '<|start|>assistant<|channel|>analysis<|message|>' + (message.content or message.thinking) + '<|end|>' }}{% endif %}
{{- '<|start|>assistant to=functions.' + call.name + '<|channel|>commentary json<|message|>' + (call.arguments | tojson) + '<|call|>' }}
{%- set last.name = call.name %}
{%- elif message.role == 'assistant' %}{{ '<|start|>assistant<|channel|>final<|message|>' + message.content + '<|end|>' }}
{%- elif message.role == 'tool' %}{{ '<|start|>functions.' + last.name + ' to=assistant<|channel|>commentary<|message|>' + message.content + '<|end|>' }}
{%- else %}{{ '<|start|>' + message.role + '<|message|>' + message.content + '<|end|>' }}
{%- endif %}
{%- endfor %}<|start|>assistant`;

describe('a template that writes channels', () => {
  const template = ChatTemplate.choose(TEMPLATE, undefined, {})!;
  const parameters = { type: 'object', properties: { city: { type: 'string' }, days: { type: 'array', items: { enum: ['a', 'b'] } } }, required: ['city'] };
  const TOOLS: Tool[] = [{ name: 'get_weather', description: 'The weather', parameters }, { name: 'now' }];
  const asked: ChatMessage = { role: 'user', content: 'Oslo?' };
  const conversation = (said: object): ChatMessage[] => [
    asked,
    { role: 'assistant', content: '', ...said, toolCalls: [{ id: 'a', name: 'get_weather', arguments: { city: 'Oslo' } }, { id: 'b', name: 'now', arguments: {} }] },
    { role: 'tool', content: '3', toolCallId: 'a', toolName: 'get_weather' },
    { role: 'tool', content: '12:00', toolCallId: 'b', toolName: 'now' },
  ];
  const calls =
    '<|start|>assistant to=functions.get_weather<|channel|>commentary json<|message|>{"city": "Oslo"}<|call|><|start|>functions.get_weather to=assistant<|channel|>commentary<|message|>3<|end|>' +
    '<|start|>assistant to=functions.now<|channel|>commentary json<|message|>{}<|call|><|start|>functions.now to=assistant<|channel|>commentary<|message|>12:00<|end|><|start|>assistant';
  const thought = (text: string): string => `<|start|>assistant<|channel|>analysis<|message|>${text}<|end|>`;

  test('is known by them', () => {
    expect(template).toMatchObject({ writesChannels: true, knowsThoughts: false, toolsNote: null });
    expect(ChatTemplate.choose('{{ messages }}<|message|>', undefined, {})).toMatchObject({ writesChannels: false });
  });

  test('is told all tools, and each call with its result', () => {
    const text = template.render(conversation({}), TOOLS, {});
    expect(text).toContain('{// The weather\ncity: string, days?: "a" | "b"[], // \n}<|end|>');
    expect(text.endsWith(`<|start|>user<|message|>Oslo?<|end|>${calls}`)).toBe(true);
  });

  test('has a thought once, before the first call, and what was said after it as a part of it', () => {
    expect(template.render(conversation({ reasoning: 'hm' }), TOOLS, {})).toContain(`<|end|>${thought('hm')}${calls}`);
    expect(template.render(conversation({ content: 'I look.' }), TOOLS, {})).toContain(`<|end|>${thought('I look.')}${calls}`);
    expect(template.render(conversation({ reasoning: 'hm', content: 'I look.' }), TOOLS, {})).toContain(`<|end|>${thought('hm\n\nI look.')}${calls}`);
  });

  test('that refuses a conversation with tools says so: in words nobody would read the calls', () => {
    const refuses = ChatTemplate.choose(`${TEMPLATE}{% if tools %}{{ raise_exception('no tools here') }}{% endif %}`, undefined, {})!;
    expect(refuses.toolsNote).toContain('no tools here');
    expect(() => refuses.render([asked], TOOLS.slice(0, 1), {})).toThrow('no tools here');
  });

  test.each([
    [{}, 'medium'],
    [{ enable_thinking: true, reasoning_effort: 'high' }, 'high'],
    [{ enable_thinking: true, reasoning_effort: 'minimal' }, 'low'],
    [{ enable_thinking: true, reasoning_effort: 'xhigh' }, 'high'],
    [{ enable_thinking: false }, 'low'],
    [{ reasoning_effort: 'its own' }, 'its own'],
  ])('of the efforts %j knows %s', (options, effort) => expect(template.render([asked], [], options)).toContain(`Reasoning: ${effort}<|end|>`));

  test('leaves other templates the efforts that they are given', () => {
    const other = ChatTemplate.choose('{{ reasoning_effort }}{{ messages[0].thinking }}', undefined, {})!;
    expect(other.render([{ role: 'assistant', content: '', reasoning: 'hm' }], [], { reasoning_effort: 'max' })).toBe('maxhm');
  });
});
