/**
 * Text somebody has typed and not sent. It stays in the tab, so that a session that ends does not take it along; it
 * is its writer's alone, and gone once they sign out or somebody else signs in.
 */
const KEY = 'aril.drafts';

interface Drafts {
  owner: string;
  texts: Record<string, string>;
}

const read = (storage: Storage): Drafts | null => {
  try {
    return JSON.parse(storage.getItem(KEY) ?? 'null') as Drafts | null;
  } catch {
    return null;
  }
};

export const readDraft = (storage: Storage, owner: string, name: string): string => {
  const drafts = read(storage);
  return drafts?.owner === owner ? (drafts.texts[name] ?? '') : '';
};

export const writeDraft = (storage: Storage, owner: string, name: string, text: string): void => {
  const before = read(storage);
  const texts = { ...(before?.owner === owner ? before.texts : {}), [name]: text };
  try {
    storage.setItem(KEY, JSON.stringify({ owner, texts } satisfies Drafts));
  } catch {
    // A full or forbidden storage keeps nothing; the text is still where it is typed.
  }
};

/** Drops what somebody else left. */
export const keepDraftsOf = (storage: Storage, owner: string): void => {
  if (read(storage)?.owner !== owner) storage.removeItem(KEY);
};

export const clearDrafts = (storage: Storage = window.sessionStorage): void => storage.removeItem(KEY);
