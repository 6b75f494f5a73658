import { describe, expect, it } from 'vitest';
import { importDraftOf, importSchema, repositoryOf, slugOf, toInput } from '../features/import/import-draft';

const adapter = { slug: 'a-b', name: '', description: '', baseModelId: 'm' };
const draft = { ...importDraftOf(adapter, null), repository: 'acme/My_LoRA.v2' };

describe('an import as it is filled in', () => {
  it.each([
    ['acme/lora', 'acme/lora'],
    ['  acme/lora ', 'acme/lora'],
    ['https://huggingface.co/acme/lora', 'acme/lora'],
    ['https://huggingface.co/acme/lora/tree/main', 'acme/lora'],
    ['lora', 'lora'],
  ])('takes %j for the repository %j', (text, repository) => expect(repositoryOf(text)).toBe(repository));

  it('proposes a slug from the repository’s name', () => {
    expect(slugOf('acme/My_LoRA.v2')).toBe('my_lora.v2');
    expect(slugOf('acme/!')).toBe('');
    expect(slugOf('acme')).toBe('');
  });

  it('leaves out what was left empty', () => {
    expect(toInput(draft)).toEqual({
      ...adapter,
      name: 'a-b',
      source: { repository: 'acme/My_LoRA.v2', revision: null, path: null },
      token: null,
    });
    expect(toInput({ ...draft, name: 'B', revision: ' v1 ', path: 'runs/last', token: ' hf_x ' })).toMatchObject({
      name: 'B',
      source: { revision: 'v1', path: 'runs/last' },
      token: 'hf_x',
    });
  });

  it('begins again with where it came from, and never with a token', () => {
    const source = { repository: 'acme/lora', revision: 'v1', path: '', commit: null };
    expect(importDraftOf(adapter, source)).toEqual({ ...adapter, repository: 'acme/lora', revision: 'v1', path: '', token: '' });
  });

  it.each(['lora', 'acme/', 'acme/a b', ''])('refuses the repository %j', (repository) =>
    expect(importSchema.safeParse({ ...draft, repository }).success).toBe(false),
  );
});
