import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { ORDER, SQL, stack, tenantWith } from '../support/stack.js';

const run = promisify(execFile);
const program = fileURLToPath(new URL('../support/openai_client.py', import.meta.url));
const { OPENAI_PYTHON, OPENAI_PYTHONPATH } = process.env;

interface Answer {
  text: string;
  tokens: number;
  pieces: string[];
  streamedTokens: number;
}

interface Extras {
  texts: string[];
  spelled: string[];
  alternatives: number[];
  streamed: string[];
  olderTokens: number;
  cachedTokens: number;
  constrained: string;
  guided: string;
  called: { events: string[]; content: string | null; arguments: string; reason: string; again: string };
}

interface Calls {
  chat: string;
  response: [string, string, string][];
  texts: string[];
}

interface Batch {
  status: string;
  counts: { total: number; completed: number; failed: number };
  texts: [string, string][];
  errors: [string, number][];
  listed: boolean;
  deleted: boolean;
}

interface Output {
  batch: Batch;
  calls: Calls;
  answers: [Answer, Answer];
  refused: string;
  extras: Extras;
}

// Without the package there is nothing to test with; `npm test` says how to get it.
describe.skipIf(!OPENAI_PYTHON)('the openai client for Python', () => {
  let output: Output;
  beforeAll(async () => {
    const requests = [ORDER, SQL].map(({ adapter, prompt }) => ({
      adapter,
      prompt,
      apiKey: tenantWith(adapter).apiKey,
    }));
    const { stdout } = await run(OPENAI_PYTHON!, [program, `${stack.apiUrl}/v1`, JSON.stringify(requests)], {
      env: { ...process.env, PYTHONPATH: OPENAI_PYTHONPATH ?? '' },
    });
    output = JSON.parse(stdout) as Output;
  });

  it('gets the answers of two tenants’ adapters at once, whole and streamed', () => {
    const { answers, refused } = output;
    expect(answers.map(({ text }) => text)).toEqual([ORDER.answer, SQL.answer]);
    expect(answers.map(({ pieces }) => pieces.join(''))).toEqual([ORDER.answer, SQL.answer]);
    for (const { tokens, streamedTokens } of answers) expect(streamedTokens).toBe(tokens);
    expect(refused).toBe('model_not_found');
  });

  it('gets several choices with log probabilities, and constrained answers', () => {
    const { extras } = output;
    const twice = [ORDER.answer, ORDER.answer];
    expect([extras.texts, extras.spelled, extras.streamed]).toEqual([twice, twice, twice]);
    expect(extras.alternatives).toEqual([2]);
    expect(extras.olderTokens).toBe(4);
    expect(extras.cachedTokens).toBeGreaterThan(0);
    expect(JSON.parse(extras.constrained)).toEqual({
      city: expect.stringMatching(/^(Paris|Rome)$/) as string,
      capital: expect.any(Boolean) as boolean,
    });
    expect(['Rome', 'Paris']).toContain(extras.guided);
  });

  it('gets calls of functions, and responses', () => {
    const { chat, response, texts } = output.calls;
    const city = { city: expect.stringMatching(/^(Paris|Rome)$/) as string, capital: expect.any(Boolean) as boolean };
    expect(JSON.parse(chat)).toEqual(city);
    const [[type, name, text] = []] = response;
    expect([response.length, type, name, JSON.parse(text ?? '')]).toEqual([1, 'function_call', 'describe_city', city]);
    expect(texts).toEqual(Array.from({ length: 3 }, () => ORDER.answer));
  });

  it('gets the answers of a file of requests', () => {
    expect(output.batch).toMatchObject({
      status: 'completed',
      counts: { total: 3, completed: 2, failed: 1 },
      texts: [
        ['adapter', ORDER.answer],
        ['again', ORDER.answer],
      ],
      errors: [['missing', 404]],
      listed: true,
      deleted: true,
    });
  });

  it('calls a function that it must, as its own stream tells it, and goes on from the result', () => {
    const { called } = output.extras;
    expect(called).toMatchObject({ content: null, reason: 'tool_calls', again: expect.stringMatching(/\S/) as string });
    expect(called.events).toContain('tool_calls.function.arguments.done');
    expect(called.events).not.toContain('content.delta');
    expect(Object.keys(JSON.parse(called.arguments) as object)).toEqual(['city', 'capital']);
  });
});
