import { describe, expect, it } from 'vitest';
import { SLUG_PATTERN, slugFromPath, toSlug } from '@/features/upload/slug';

describe('toSlug', () => {
  it.each([
    ['Order → JSON', 'order-json'],
    ['Café Crème (v2.1)', 'cafe-creme-v2.1'],
    ['__private__', 'private'],
    ['a'.repeat(80), 'a'.repeat(63)],
    ['漢字', ''],
  ])('makes %j into %j', (name, slug) => expect(toSlug(name)).toBe(slug));

  it('never makes something the pattern refuses, except too little', () => {
    for (const name of ['-x-', 'Ünïcode ✓ name', '..a..b..', `${'a'.repeat(62)}-b`, '9 lives']) {
      const slug = toSlug(name);
      expect(slug.length < 2 || SLUG_PATTERN.test(slug), slug).toBe(true);
    }
  });
});

describe('slugFromPath', () => {
  it.each([
    ['/order-json/adapter_config.json', 'order-json'],
    ['./My Runs/checkpoint-500/adapter_config.json', 'my-runs'],
    ['triage/final/adapter_model.safetensors', 'triage'],
    ['output/adapter_config.json', ''],
    ['adapter_config.json', ''],
  ])('proposes for %j: %j', (path, slug) => expect(slugFromPath(path)).toBe(slug));
});
