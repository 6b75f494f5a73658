import { describe, expect, it } from 'vitest';
import {
  draftOf,
  draftSchema,
  evenly,
  isDraftField,
  newVariant,
  sharesOf,
  toVariantInputs,
  type VariantDraft,
} from '@/features/deployments/deployment-draft';

const variant = (target: string, weight: number | '', id: string | null = null): VariantDraft => ({ id, target, weight });
const draft = { slug: 'reply', name: '', description: '', baseModelId: 'base', variants: [variant('a', 1)] };
const problemsOf = (change: object): string[] =>
  draftSchema.safeParse({ ...draft, ...change }).error?.issues.map(({ path }) => path.join('.')) ?? [];

describe('the draft of a deployment', () => {
  it('names what is wrong where the form shows it', () => {
    expect(problemsOf({})).toEqual([]);
    expect(problemsOf({ slug: 'Not A Slug' })).toEqual(['slug']);
    expect(problemsOf({ baseModelId: '' })).toEqual(['baseModelId']);
    expect(problemsOf({ variants: [variant('a', 1), variant('', 1)] })).toEqual(['variants.1.target']);
    for (const weight of ['' as const, -1, 1.5, 1001]) {
      expect(problemsOf({ variants: [variant('a', 1), variant('b', weight)] })).toEqual(['variants.1.weight']);
    }
    expect(problemsOf({ variants: [variant('a', 0), variant('b', 0)] })).toEqual(['variants']);
    for (const field of ['slug', 'variants', 'variants.12.weight', 'variants.0.target']) expect(isDraftField(field)).toBe(true);
    for (const field of ['variants.0.id', 'deploymentId', 'slug.x']) expect(isDraftField(field)).toBe(false);
  });

  it('shows what half-typed weights come to', () => {
    const shares = sharesOf([variant('a', 30), variant('b', ''), variant('c', 10)]);
    expect(shares).toEqual([{ target: 'a', share: 0.75 }, { target: 'b', share: 0 }, { target: 'c', share: 0.25 }]);
    expect(sharesOf([variant('a', 0), variant('b', '')]).map(({ share }) => share)).toEqual([0, 0]);
  });

  it('splits evenly, a hundred in all, and keeps what is chosen', () => {
    expect(evenly([variant('a', 7, 'id'), newVariant(0), newVariant(0)])).toEqual([
      variant('a', 34, 'id'),
      variant('', 33),
      variant('', 33),
    ]);
    const many = evenly(Array.from({ length: 16 }, () => newVariant(0)));
    expect(many.reduce((sum, { weight }) => sum + Number(weight), 0)).toBe(100);
  });

  it('keeps the ids of the variants there are, so that their users stay', () => {
    const { variants } = draftOf({
      id: 'd',
      slug: 'reply',
      name: 'Reply',
      description: '',
      createdAt: '',
      updatedAt: '',
      baseModel: { id: 'base', name: 'Base' },
      variants: [{ id: 'v', target: 'a', weight: 3, share: 1, adapter: null }],
    });
    expect(toVariantInputs([...variants, variant('b', 2)])).toEqual([
      { id: 'v', target: 'a', weight: 3 },
      { target: 'b', weight: 2 },
    ]);
  });
});
