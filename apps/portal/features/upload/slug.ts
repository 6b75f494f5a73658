/** A slug as the API takes it: 2–63 of a–z, 0–9, '-', '_', '.'; starts with a letter or digit. */
export const SLUG_PATTERN = /^[a-z0-9][a-z0-9._-]{1,62}$/;

export const SLUG_RULE = '2–63 characters: a–z, 0–9, “-”, “_”, “.”; the first a letter or digit';

/** Folder names that say how training went, not what was trained. */
const MEANINGLESS = /^(adapter|adapters|lora|output|outputs|checkpoint-\d+|final|model|peft)$/;

/** The nearest slug to a name someone gave; empty when nothing of it is left. */
export const toSlug = (name: string): string =>
  name
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/-{2,}/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 63)
    .replace(/[^a-z0-9]+$/, '');

/** The slug proposed for a dropped folder: its innermost name that means something. */
export const slugFromPath = (path: string): string => {
  const folders = path
    .split('/')
    .slice(0, -1)
    .filter((part) => part !== '' && part !== '.');
  const slugs = folders.map(toSlug).filter((slug) => SLUG_PATTERN.test(slug));
  return slugs.findLast((slug) => !MEANINGLESS.test(slug)) ?? '';
};
