/** What a Jinja program reads of what it is given. */

/** A member of that name (`message.tools`, `message['tools']`), and a text or a comment with the word, are none. */
export function readsVariable(node: unknown, name: string): boolean {
  if (node === null || typeof node !== 'object') return false;
  if (Array.isArray(node) || node instanceof Map) return [...node].some((part) => readsVariable(part, name));
  const { type, value, computed } = node as { type?: unknown; value?: unknown; computed?: unknown };
  if (type === 'Identifier') return value === name;
  const isName = (key: string): boolean => type === 'MemberExpression' && key === 'property' && computed !== true;
  return Object.entries(node).some(([key, part]) => !isName(key) && readsVariable(part, name));
}
