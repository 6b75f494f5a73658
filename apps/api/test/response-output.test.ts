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
