import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
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

// Without the package there is nothing to test with; `npm test` says how to get it.
describe.skipIf(!OPENAI_PYTHON)('the openai client for Python', () => {
  it('gets the answers of two tenants’ adapters at once, whole and streamed', async () => {
    const requests = [ORDER, SQL].map(({ adapter, prompt }) => ({
      adapter,
      prompt,
      apiKey: tenantWith(adapter).apiKey,
    }));
    const { stdout } = await run(OPENAI_PYTHON!, [program, `${stack.apiUrl}/v1`, JSON.stringify(requests)], {
      env: { ...process.env, PYTHONPATH: OPENAI_PYTHONPATH ?? '' },
    });
    const { answers, refused } = JSON.parse(stdout) as { answers: [Answer, Answer]; refused: string };
    expect(answers.map(({ text }) => text)).toEqual([ORDER.answer, SQL.answer]);
    expect(answers.map(({ pieces }) => pieces.join(''))).toEqual([ORDER.answer, SQL.answer]);
    for (const { pieces, tokens, streamedTokens } of answers) {
      expect(pieces.length).toBeGreaterThan(3);
      expect(streamedTokens).toBe(tokens);
    }
    expect(refused).toBe('model_not_found');
  });
});
