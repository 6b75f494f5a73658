import { describe, expect, it } from 'vitest';
import { failureInWords } from '@/features/playground/failure';
import { withSeparators } from '@/lib/format/quantity';

const said = (message: string, code = 'BAD_USER_INPUT'): string => failureInWords({ code, message });

describe('failureInWords', () => {
  it.each([
    [
      "sampling.maxTokens: expected at most 2048, the model's context, found 99999",
      "Max tokens: expected at most 2,048, the model's context, found 99,999",
    ],
    ['sampling.stop[2]: expected at most 256 characters', 'Stop strings: expected at most 256 characters'],
    ['constraint.jsonSchema: unknown keyword', 'JSON schema: unknown keyword'],
    ['The monthly budget of this workspace: too much. A smaller sampling.maxTokens needs less.', 'The monthly budget of this workspace: too much. A smaller max tokens needs less.'],
    ['The runner was lost.', 'The runner was lost.'],
    ['somethingNew: expected 3', 'somethingNew: expected 3'],
  ])('%s', (message, words) => expect(said(message)).toBe(words));

  it('says of a conversation that outgrew the context what helps', () => {
    const words = said('promptTokens: found 12345; expected at most 2047.');
    expect(words).toContain('The conversation is too long for the model: found 12,345; expected at most 2,047. Clear');
    expect(words).not.toContain('promptTokens');
    expect(words).toContain('Clear the conversation');
  });

  it('groups digits of numbers, not of names, dates, short numbers and shapes', () => {
    expect(withSeparators('123 of 1234567, 2026-01-02, run-12345, v1.12345, a12345, [4, 49152]')).toBe(
      '123 of 1,234,567, 2026-01-02, run-12345, v1.12345, a12345, [4, 49152]',
    );
  });
});
