/** Thoughts: where a prompt leaves room for one, and which tokens are its. */
import { describe, expect, test } from 'vitest';
import { ChatTemplate } from '../lib/chat/chat-template.js';
import { thoughtAfter, ThoughtMeter } from '../lib/index.js';

describe('a thought', () => {
  test.each<[string, ReturnType<typeof thoughtAfter>]>([
    ['<|im_start|>assistant\n', 'possible'],
    ['<|im_start|>assistant\n<think>\n', 'open'],
    ['<|im_start|>assistant\n<think>\n\n</think>\n\n', null],
    ['Assistant:</think>', null],
    ['<|turn>model\n<think>thought\n', 'open'],
    ['<|turn>model\n<think>thought\n</think>', null],
  ])('after the prompt %j is %s', (prompt, place) => expect(thoughtAfter(prompt)).toBe(place));

  const counted = (place: 'open' | 'possible', texts: string[]): number =>
    new ThoughtMeter(place, (token) => Buffer.from(texts[token]!)).read(texts.map((_text, token) => token));

  test.each<['open' | 'possible', string[], number]>([
    ['possible', ['<think>', '\n', 'hm', '</think>', '\n\n', 'Yes'], 4],
    ['possible', ['\n', '<th', 'ink>', 'h', 'm</th', 'ink>\n', 'Yes'], 6],
    ['possible', ['Yes', '<think>', '</think>'], 0],
    ['possible', ['<th', 'e'], 0],
    ['possible', ['<think>', 'on', ' and on'], 3],
    ['open', ['hm', '</think>', 'Yes', '</think>'], 2],
    ['open', ['on', ' and on'], 2],
  ])('%s, of the tokens %j has %i', (place, texts, count) => expect(counted(place, texts)).toBe(count));

  test('is known by its mark in the template, which is given those of earlier answers', () => {
    const source = "{% for m in messages %}{% if m.reasoning_content is string %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}{% endfor %}";
    const template = ChatTemplate.choose(null, source, {})!;
    expect(template.knowsThoughts).toBe(true);
    expect(template.render([{ role: 'assistant', content: 'Yes', reasoning: 'hm' }], [], {})).toBe('<think>hm</think>Yes');
    expect(ChatTemplate.choose(null, '{{ messages }}', {})!.knowsThoughts).toBe(false);
  });
});
