/** Conversations with tools: through templates that know them, and through those that do not. */
import { describe, expect, test } from 'vitest';
import { ChatTemplate, type NamedTemplates } from '../lib/chat/chat-template.js';
import type { ChatMessage, Tool } from '../lib/chat/conversation.js';

const WEATHER: Tool = {
  name: 'get_weather',
  description: 'The weather of a city, é',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};
const CALLED: ChatMessage[] = [
  { role: 'user', content: 'Oslo?' },
  { role: 'assistant', content: '', toolCalls: [{ id: 'a1', name: 'get_weather', arguments: { city: 'Oslo' } }, { id: 'a2', name: 'now', arguments: {} }] },
  { role: 'tool', content: '{"c":3}', toolCallId: 'a1', toolName: 'get_weather' },
  { role: 'tool', content: '12:00', toolCallId: 'a2' },
];

const templateOf = (source: NamedTemplates, file: string | null = null): ChatTemplate => {
  const template = ChatTemplate.choose(file, source, { eos_token: '</s>' });
  if (!template) throw new Error('no template');
  return template;
};

/** The constructs that templates with tools have in common: Qwen's list, Llama's test for a key, Mistral's ids. */
const KNOWS = `{%- for tool in tools or [] %}{{ (tool | tojson) + '\\n' }}{% endfor %}
{%- for message in messages %}
{{- '[' + message.role + (' ' + message.name if message.name is defined else '') + (' #' + message.tool_call_id if message.tool_call_id is defined else '') + '] ' + message.content + '\\n' }}
{%- if 'tool_calls' in message %}{% for call in message.tool_calls %}
{{- call.id + ': ' + call.function.name + ' ' + (call.function.arguments | tojson) + '\\n' }}
{%- endfor %}{% endif %}
{%- endfor %}`;
/** Turns alternate, and there is no system message. */
const STRICT = `{% for message in messages %}{% if message.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}<{{ message.role }}>{{ message.content }}{{ eos_token }}{% endfor %}`;
const PLAIN = `{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}`;

describe('a template that knows tools', () => {
  test('has them as OpenAI shapes them, calls with arguments as objects, and results with their call', () => {
    expect(templateOf(KNOWS).render(CALLED, [WEATHER, { name: 'now' }], {})).toBe(
      [
        '{"type": "function", "function": {"name": "get_weather", "description": "The weather of a city, é", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}',
        '{"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}',
        '[user] Oslo?',
        '[assistant] ',
        'a1: get_weather {"city": "Oslo"}',
        'a2: now {}',
        '[tool get_weather #a1] {"c":3}',
        '[tool #a2] 12:00',
        '',
      ].join('\n'),
    );
  });

  test('and leaves calls out has them as text, where the model writes calls as LFM2 does', () => {
    const leavesOut = `{{ tools | tojson }}${PLAIN}`;
    const value = { 'a': 'Os"l\'o\n', b: null, c: [true, 1.5, { d: false }] };
    const messages: ChatMessage[] = [CALLED[0]!, { role: 'assistant', content: 'Hm.', toolCalls: [{ id: 'a1', name: 'f', arguments: value }, { id: 'a2', name: 'now', arguments: {} }] }];
    const render = (callsInPython: boolean, source = leavesOut): string => ChatTemplate.choose(null, source, {}, callsInPython)?.render(messages, [], {}) ?? '';
    expect(render(true)).toBe('null<user>Oslo?<assistant>Hm.<|tool_call_start|>[f(a="Os\\"l\'o\\n", b=None, c=[True, 1.5, {"d": False}]), now()]<|tool_call_end|>');
    expect(render(false)).toBe('null<user>Oslo?<assistant>Hm.');
    expect(render(true, KNOWS)).toBe(render(false, KNOWS));
  });

  test('keeps the calls of a conversation whose tools are no longer offered', () => {
    expect(templateOf(KNOWS).render(CALLED, [], {})).toMatch(/^\[user\] Oslo\?\n\[assistant\] \na1: get_weather/);
  });

  /** As Llama's and Mistral's: one call per turn, ids of nine characters. */
  const PARTICULAR = `{%- for message in messages %}
{%- if message.tool_calls is defined %}
{%- if message.tool_calls | length != 1 %}{{ raise_exception('only single tool-calls') }}{% endif %}
{%- if message.tool_calls[0].id | length != 9 %}{{ raise_exception('ids of length 9') }}{% endif %}
{{- '[' + message.tool_calls[0].id + ' ' + message.tool_calls[0].function.name + ' ' + message.content + ']' }}
{%- else %}{{ '[' + message.role + ' ' + (message.tool_call_id or '') + ' ' + message.content + ']' }}{% endif %}
{%- endfor %}{{ tools | length }}`;

  test('has calls one by one, and with ids of its kind, if it refuses them as they are', () => {
    const text = templateOf(PARTICULAR).render([...CALLED, { role: 'user', content: 'Well?' }], [WEATHER]);
    const shape = /^\[user {2}Oslo\?\]\[(\w{9}) get_weather \]\[tool \1 \{"c":3\}\]\[(\w{9}) now \]\[tool \2 12:00\]\[user {2}Well\?\]1$/;
    const [, first, second] = shape.exec(text) ?? [];
    expect(first).toBeDefined();
    expect(first).not.toBe(second);
  });

  test('keeps ids of its kind, and calls that it takes together', () => {
    const IDS = `{%- for message in messages %}{% for call in message.tool_calls or [] %}{% if call.id | length != 9 %}{{ raise_exception('ids of length 9') }}{% endif %}{{ call.id }};{% endfor %}{{ message.role }} {% endfor %}{{ (tools or []) | length }}`;
    const called = (id: string): ChatMessage => ({ role: 'assistant', content: '', toolCalls: [{ id: 'abcDEF123', name: 'now', arguments: {} }, { id, name: 'now', arguments: {} }] });
    expect(templateOf(IDS).render([called('123456789')], [])).toMatch(/^abcDEF123;123456789;assistant 0$/);
    expect(templateOf(IDS).render([called('call_1')], [])).toMatch(/^abcDEF123;[0-9a-f]{9};assistant 0$/);
  });

  /** As GLM's, Qwen3-Coder's and MiniMax's, and as DeepSeek's. */
  test.each([
    ['an object', `{% for key, value in call.function.arguments.items() %}{{ key + '=' + value }}{% endfor %}`, 'get_weather(city=Oslo);now();'],
    ['JSON', `{{ call.function.arguments + '' }}`, 'get_weather({"city": "Oslo"});now({});'],
    ['either', `{{ call.function.arguments if call.function.arguments is string else call.function.arguments | tojson }}`, 'get_weather({"city": "Oslo"});now({});'],
  ])('has the arguments of calls as it takes them: %s', (_name, written, expected) => {
    const template = templateOf(`{{ tools | length }}{% for message in messages %}{% for call in message.tool_calls or [] %}{{ call.function.name }}(${written});{% endfor %}{% endfor %}`);
    expect(template.render(CALLED, [WEATHER])).toBe(`1${expected}`);
  });

  test('has what it cannot write of them as texts', () => {
    const given = { city: 'Oslo', days: 3, zone: null, at: { a: null }, list: [1, 'a'] };
    const called: ChatMessage[] = [{ role: 'assistant', content: '', toolCalls: [{ id: 'a1', name: 'f', arguments: given }] }];
    const written = (value: string): string => `{{ tools | length }}{% for call in messages[0].tool_calls %}{% for key, value in call.function.arguments | items %}{{ key + '=' + (${value}) + ';' }}{% endfor %}{% endfor %}`;
    const qwen = 'value | tojson if value is mapping or (value is sequence and value is not string) else value | string';
    for (const value of [qwen, 'value | string']) expect(templateOf(written(value)).render(called, [WEATHER])).toBe('1city=Oslo;days=3;zone=None;at={"a": null};list=[1, "a"];');
  });

  test('has null in a schema as a text, where it cannot write it', () => {
    const schemas = `{% for key, schema in tools[0].function.parameters.properties | items %}{{ key + '=' + (schema.default | string) + ';' }}{% endfor %}`;
    const tool = { name: 'f', parameters: { type: 'object', properties: { a: { default: null }, b: { default: 1 } } } };
    expect(templateOf(schemas).render([{ role: 'user', content: 'Oslo?' }], [tool])).toBe('a=None;b=1;');
  });

  test('that cannot write a schema is told of it in words, through the one without tools', () => {
    const fails = `{% for tool in tools %}{{ {'string': 'str'}[tool.function.parameters.properties.city.items.type] }}{% endfor %}`;
    const template = templateOf([{ name: 'default', template: PLAIN }, { name: 'tool_use', template: fails }]);
    expect(template.render([{ role: 'user', content: 'Oslo?' }], [WEATHER])).toMatch(/^<system>You can call.*<user>Oslo\?$/s);
  });

  test('says itself what it refuses in whatever form', () => {
    const refuses = `{{ raise_exception('no ' + (tools | length) | string) }}`;
    expect(() => templateOf(refuses).render(CALLED, [WEATHER])).toThrow("messages: the model's chat template refused them: no 1");
  });

  test('is the one for tools where a model has several', () => {
    const template = templateOf([{ name: 'default', template: PLAIN }, { name: 'tool_use', template: KNOWS }]);
    expect(template.render([{ role: 'user', content: 'Hi' }], [], {})).toBe('<user>Hi');
    expect(template.render([{ role: 'user', content: 'Hi' }], [WEATHER], {})).toMatch(/^\{"type": "function"/);
    expect(templateOf([{ name: 'tool_use', template: KNOWS }], PLAIN).render(CALLED.slice(0, 1), [], {})).toBe('<user>Oslo?');
  });
});

describe('a template that does not know tools', () => {
  test('may have the word: as a text, as a key of a message', () => {
    const phi = `{# tools #}{% for message in messages %}{% if 'tools' in message and message['tools'] is not none %}{{ message.tools }}{% endif %}<{{ message.role }}>{{ message.content }}{% endfor %}`;
    expect(templateOf(phi).render([{ role: 'user', content: 'Oslo?' }], [WEATHER])).toMatch(/^<system>You can call.*<user>Oslo\?$/s);
  });

  test('is told of them in a system message, after what the caller says there', () => {
    const text = templateOf(PLAIN).render([{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'Oslo?' }], [WEATHER], {});
    expect(text).toMatch(/^<system>Be brief\.\n\n.*<tools>\n\{"type":"function".*\}\n<\/tools>.*<tool_call>.*<user>Oslo\?$/s);
    expect(templateOf(PLAIN).render([{ role: 'user', content: 'Oslo?' }], [WEATHER], {})).toMatch(/^<system>You can.*<user>Oslo\?$/s);
  });

  test('has calls and results as texts, and the results as one turn of the user', () => {
    const text = templateOf(PLAIN).render([...CALLED, { role: 'user', content: 'Well?' }], [], {});
    expect(text).toBe(
      '<user>Oslo?<assistant><tool_call>\n{"name":"get_weather","arguments":{"city":"Oslo"}}\n</tool_call>\n<tool_call>\n{"name":"now","arguments":{}}\n</tool_call>' +
        '<user><tool_response>\n{"c":3}\n</tool_response>\n<tool_response>\n12:00\n</tool_response>\nWell?',
    );
  });

  test('that refuses a system message has them in front of what the user says first', () => {
    const text = templateOf(STRICT).render(CALLED, [WEATHER], {});
    expect(text).toMatch(/^<user>You can call.*<\/tool_call>\n\nOslo\?<\/s><assistant>.*<user><tool_response>/s);
  });

  test('that refuses the conversation still does', () => {
    const twice = [{ role: 'user', content: 'a' }, { role: 'user', content: 'b' }];
    expect(() => templateOf(STRICT).render(twice, [WEATHER], {})).toThrow("messages: the model's chat template refused them: roles must alternate");
  });
});

test('without tools nothing changes: no message has keys that it was not given', () => {
  const keys = `{% for message in messages %}{{ message.keys() | join(',') }};{% endfor %}{{ tools is none }}`;
  expect(templateOf(keys).render([{ role: 'user', content: 'a' }], [], {})).toMatch(/^role,content;/i);
});

/** As Seed-OSS's finds how often its model is to say how much it has thought. */
describe('a template with a table by number', () => {
  const TABLE = `{%- set thinking_budget = thinking_budget | default(-1) -%}
{%- set gears = {0: 0, 512: 128, 1024: 256, 4096: 512} -%}
{%- set ns = namespace(interval = none) -%}
{%- for k, v in gears | dictsort -%}{%- if ns.interval is none and thinking_budget <= k -%}{%- set ns.interval = v -%}{%- endif -%}{%- endfor -%}
{%- if ns.interval is none -%}{%- set ns.interval = gears[4096] -%}{%- endif -%}
{{ thinking_budget }}: {{ ns.interval }}`;

  test.each([[-1, 0], [0, 0], [1, 128], [512, 128], [600, 256], [1025, 512], [4096, 512], [4097, 512]])('finds %d by its order', (budget, interval) => {
    expect(templateOf(TABLE).render([], [], { thinking_budget: budget })).toBe(`${budget}: ${interval}`);
  });

  test('and one by name is as it was', () => {
    const source = `{% set t = {'b': 1, 'a': 2} %}{% for k, v in t | dictsort %}{{ k }}{{ v }}{% endfor %}{{ t['b'] }}`;
    expect(templateOf(source).render([], [], {})).toBe('a2b11');
  });

  test('of how long to think is told when thinking is turned off, unless it is told otherwise', () => {
    const template = templateOf(TABLE);
    expect(template.render([], [], { enable_thinking: false })).toBe('0: 0');
    expect(template.render([], [], { enable_thinking: false, thinking_budget: 512 })).toBe('512: 128');
    expect(template.render([], [], { enable_thinking: true })).toBe('-1: 0');
  });
});

test('a template has what else it is given, which takes the place of nothing', () => {
  const template = templateOf(`{{ 'thinks' if enable_thinking else 'answers' }} {{ level }} {{ messages | length }} {{ eos_token }}`);
  const user = [{ role: 'user', content: 'a' }];
  expect(template.render(user, [], { enable_thinking: true, level: 2, messages: 'none', eos_token: 'x' })).toBe('thinks 2 1 </s>');
  expect(template.render(user, [], { enable_thinking: false, level: null })).toMatch(/^answers/);
});

describe('what a template cannot do with tools is known before anyone asks', () => {
  const named = (tools: string): NamedTemplates => [{ name: 'default', template: PLAIN }, { name: 'tool_use', template: tools }];
  /** As Hermes 3's: Python's Jinja takes what is not there for an empty text. */
  const TRIMS = `{% for tool in tools %}{% for name, field in tool.function.parameters.properties|items %}{{ name }}: {{ field.description|trim }}{% endfor %}{% endfor %}{{ messages[0].content }}`;

  test('and tools that it fails on are told in words', () => {
    const template = templateOf(named(TRIMS));
    expect(template.toolsNote).toMatch(/trim/);
    expect(template.render([{ role: 'user', content: 'Oslo?' }], [WEATHER], {})).toMatch(/^<system>You can call/);
    const described = { ...WEATHER, parameters: { properties: { city: { description: 'A city' } } } };
    expect(template.render([{ role: 'user', content: 'Oslo?' }], [described], {})).toBe('city: A cityOslo?');
  });

  test('nor read: the model is told in words, and its chats are as they were', () => {
    const template = templateOf(named('{% for tool in %}'));
    expect(template.toolsNote).toMatch(/^chat_template tool_use: /);
    expect(template.render([{ role: 'user', content: 'a' }], [WEATHER], {})).toMatch(/^<system>You can call/);
    expect(template.render([{ role: 'user', content: 'a' }], [], {})).toBe('<user>a');
  });

  test('one that no chat can be told with is refused', () => {
    expect(() => templateOf('{% for message in %}')).toThrow('chat_template: found a template that cannot be read');
  });

  test('of one that can there is nothing to say', () => {
    for (const source of [KNOWS, PLAIN, STRICT]) expect(templateOf(source).toolsNote).toBeNull();
  });
});

describe('a last message that is to be continued', () => {
  const BEGUN: ChatMessage[] = [
    { role: 'user', content: 'Count' },
    { role: 'assistant', content: '1, 2, ' },
  ];
  /** Trims what was said, closes every turn, begins one at the end. */
  const TURNS = `{% for message in messages %}<|{{ message.role }}|>\n{{ message.content | trim }}{{ eos_token }}\n{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}`;

  test('is written up to its end, with the white space there, and no turn begins behind it', () => {
    const template = templateOf(TURNS);
    expect(template.renderUnfinished(BEGUN, [])).toBe('<|user|>\nCount</s>\n<|assistant|>\n1, 2, ');
    expect(template.render(BEGUN, [])).toBe('<|user|>\nCount</s>\n<|assistant|>\n1, 2,</s>\n<|assistant|>\n');
  });

  test('stands where the template has put thoughts before it', () => {
    const source = "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{{ m.content.split('</think>')[-1].lstrip('\\n') }}{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}";
    expect(templateOf(source).renderUnfinished(BEGUN, [])).toMatch(/<\|im_start\|>assistant\n<think>\n\n<\/think>\n\n1, 2, $/);
  });

  test('is told with tools, by the template and in words', () => {
    for (const source of [KNOWS, PLAIN]) expect(templateOf(source).renderUnfinished(BEGUN, [WEATHER])).toMatch(/get_weather[^]*assistant[>\]] ?1, 2, $/);
  });

  test('is refused where the template leaves it out, and where nobody has begun to answer', () => {
    expect(() => templateOf('{{ messages[0].content }}').renderUnfinished(BEGUN, [])).toThrow(/^messages: the model's chat template leaves out the last message/);
    expect(() => templateOf(TURNS).renderUnfinished(BEGUN.slice(0, 1), [])).toThrow(/^messages: found a last message of the role "user", expected one of the assistant/);
  });
});
