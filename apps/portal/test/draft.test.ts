import { describe, expect, it } from 'vitest';
import { draftOf, isFilled } from '@/features/upload/draft';

describe('isFilled', () => {
  it('tells work from an untouched form', () => {
    const draft = draftOf();
    expect(isFilled(draft, {})).toBe(false);
    expect(isFilled({ ...draft, baseModelId: 'guessed' }, {})).toBe(false);
    expect(isFilled({ ...draft, name: ' ' }, {})).toBe(false);
    expect(isFilled({ ...draft, description: 'Says it shorter' }, {})).toBe(true);
    expect(isFilled(draft, { 'adapter_config.json': new File(['{}'], 'adapter_config.json') })).toBe(true);
  });

  it('compares with the adapter that is sent again', () => {
    const subject = {
      id: '1',
      slug: 'a-b',
      name: 'A',
      description: '',
      baseModelId: 'm',
      mode: 'replace' as const,
      files: [],
      source: null,
    };
    expect(isFilled(draftOf(subject), {}, subject)).toBe(false);
    expect(isFilled({ ...draftOf(subject), name: 'B' }, {}, subject)).toBe(true);
  });
});
