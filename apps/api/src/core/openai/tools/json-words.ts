/** What readers share that tell a model's own form of arguments as JSON. */

/** Half of a character at an end: its other half is to come. */
export const HALF = /[\ud800-\udbff]$/;

/** What JSON has between the quotes of a text. */
export const inQuotes = (text: string): string => JSON.stringify(text).slice(1, -1);

/** Python's words for them too, in which templates write what was called before. */
const WORDS: Readonly<Record<string, string>> = { true: 'true', True: 'true', false: 'false', False: 'false', null: 'null', None: 'null' };

/** undefined: it is none. */
export const jsonWord = (word: string): string | undefined => (Object.hasOwn(WORDS, word) ? WORDS[word] : undefined);
