export type Schema = Record<string, unknown>;

const DEFINITIONS: readonly string[] = ['$defs', 'definitions'];
/** Their members are schemas by name; a property may be called as a keyword is. */
const BY_NAME: readonly string[] = ['properties', 'patternProperties', ...DEFINITIONS];
/** What is in them are values. */
const VALUES: readonly string[] = ['const', 'enum', 'default', 'examples'];

/**
 * A whole schema as a definition `name` of another, its own definitions beside it as `name.$defs.theirs`: references
 * count from the root, so those in it are changed accordingly. `name` must need no escape in a JSON pointer.
 */
export function asDefinition(schema: Schema, name: string): Schema {
  const root = `#/$defs/${name}`;
  const moved = (reference: string): string => {
    if (reference === '#') return root;
    const at = DEFINITIONS.find((key) => reference.startsWith(`#/${key}/`));
    return at === undefined ? reference : `${root}.${at}.${reference.slice(at.length + 3)}`;
  };
  const { $defs, definitions, ...own } = schema;
  const inner = Object.entries({ $defs, definitions }).flatMap(([at, members]) =>
    Object.entries(members ?? {}).map(([key, member]): [string, unknown] => [`${name}.${at}.${key}`, follow(member, moved)]),
  );
  return { [name]: follow(own, moved), ...Object.fromEntries(inner) };
}

type Move = (reference: string) => string;

function follow(value: unknown, moved: Move): unknown {
  if (Array.isArray(value)) return value.map((item) => follow(item, moved));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, followMember(key, member, moved)]));
}

function followMember(key: string, member: unknown, moved: Move): unknown {
  if (key === '$ref') return typeof member === 'string' ? moved(member) : member;
  if (VALUES.includes(key)) return member;
  if (!BY_NAME.includes(key) || member === null || typeof member !== 'object' || Array.isArray(member)) return follow(member, moved);
  return Object.fromEntries(Object.entries(member).map(([name, schema]) => [name, follow(schema, moved)]));
}
