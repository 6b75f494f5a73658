/** The items of a response, and how much they can hold. */
import { expect, it } from 'vitest';
import { ResponseOutput } from '../src/core/openai/responses/response-output.js';

it('holds as many log probabilities as an answer may have', () => {
  const output = new ResponseOutput('id');
  const token = { token: 1, text: 'a', bytes: [97], logprob: -0.5, top: [] };
  output.push([{ kind: 'text', text: 'a' }], Array.from({ length: 400_000 }, () => token));
  output.end('completed');
  const [item] = output.items;
  expect(item?.type === 'message' && item.content[0]?.logprobs).toHaveLength(400_000);
});

it('has thoughts, texts and calls in any order, each in an item of its own', () => {
  const output = new ResponseOutput('id');
  const pieces = [
    { kind: 'text', text: 'I look.' },
    { kind: 'reasoning', text: 'Oslo' },
    { kind: 'reasoning', text: '?' },
    { kind: 'call', name: 'f', index: 0 },
    { kind: 'arguments', text: '{}', index: 0 },
    { kind: 'reasoning', text: 'hm' },
  ] as const;
  const types = pieces.flatMap((piece) => output.push([piece], null).map(({ type }) => type));
  output.end('completed');
  expect(output.items).toMatchObject([
    { type: 'message', status: 'completed', content: [{ text: 'I look.' }] },
    { type: 'reasoning', status: 'completed', content: [{ text: 'Oslo?' }] },
    { type: 'function_call', status: 'completed', arguments: '{}' },
    { type: 'reasoning', status: 'completed', content: [{ text: 'hm' }] },
  ]);
  expect(types.filter((type) => type === 'response.output_item.added')).toHaveLength(4);
});
