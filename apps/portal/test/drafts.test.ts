import { expect, it } from 'vitest';
import { clearDrafts, keepDraftsOf, readDraft, writeDraft } from '@/features/session/drafts';

/** As much of `Storage` as is used. */
const storage = (initial?: string): Storage => {
  const items = new Map<string, string>(initial === undefined ? [] : [['aril.drafts', initial]]);
  return {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
    get length() {
      return items.size;
    },
  } as Storage;
};

it('keeps a person’s texts apart by name', () => {
  const tab = storage();
  writeDraft(tab, 'nora', 'playground', 'Hello');
  writeDraft(tab, 'nora', 'other', 'There');
  expect([readDraft(tab, 'nora', 'playground'), readDraft(tab, 'nora', 'other'), readDraft(tab, 'nora', 'none')]).toEqual(['Hello', 'There', '']);
});

it('shows a text to nobody else, and forgets it when they sign in', () => {
  const tab = storage();
  writeDraft(tab, 'nora', 'playground', 'Secret');
  expect(readDraft(tab, 'omar', 'playground')).toBe('');
  keepDraftsOf(tab, 'nora');
  expect(readDraft(tab, 'nora', 'playground')).toBe('Secret');
  keepDraftsOf(tab, 'omar');
  expect(tab.length).toBe(0);
});

it('does not mix the texts of two people', () => {
  const tab = storage();
  writeDraft(tab, 'nora', 'playground', 'Hers');
  writeDraft(tab, 'omar', 'other', 'His');
  expect(readDraft(tab, 'nora', 'playground')).toBe('');
});

it('forgets all at sign-out, and takes what it cannot read for nothing', () => {
  const tab = storage();
  writeDraft(tab, 'nora', 'playground', 'Hello');
  clearDrafts(tab);
  expect(tab.length).toBe(0);
  expect(readDraft(storage('{'), 'nora', 'playground')).toBe('');
});
