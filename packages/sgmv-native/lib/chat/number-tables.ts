/**
 * Tables by number, `{512: 128, 1024: 256}`, which Jinja knows and this one does not: Seed-OSS's template has one. Where it is
 * sorted, pairs by ascending number stand for it, and where a number is looked up in it, what belongs to that.
 */

type Node = Record<string, unknown>;
type Pair = readonly [key: Node, value: unknown];

export function spellOutTables(program: object): void {
  const tables = new Map<unknown, readonly Pair[]>();
  change(program, (node) => {
    const pairs = node.type === 'Set' ? pairsOf(node.value) : null;
    if (!pairs) return node;
    tables.set(nameOf(node.assignee), pairs);
    return { ...node, value: { type: 'ArrayLiteral', value: pairs.map((pair) => ({ type: 'ArrayLiteral', value: pair })) } };
  });
  if (tables.size === 0) return;
  change(program, (node) => {
    if (node.type === 'FilterExpression' && nameOf(node.filter) === 'dictsort' && tables.has(nameOf(node.operand))) return node.operand;
    const pairs = node.type === 'MemberExpression' && node.computed ? tables.get(nameOf(node.object)) : undefined;
    return pairs?.find(([key]) => isNode(node.property) && key.value === node.property.value)?.[1] ?? node;
  });
}

/** null: it is no such table. */
function pairsOf(node: unknown): readonly Pair[] | null {
  if (!isNode(node) || node.type !== 'ObjectLiteral' || !(node.value instanceof Map) || node.value.size === 0) return null;
  const pairs = [...node.value] as Pair[];
  return pairs.every(([key]) => key.type === 'IntegerLiteral') ? pairs.sort(([one], [other]) => Number(one.value) - Number(other.value)) : null;
}

/** Puts in the place of each node below `node` what `by` makes of it. */
function change(node: unknown, by: (node: Node) => unknown): void {
  if (!isNode(node)) return;
  for (const [key, part] of Object.entries(node)) {
    change(part, by);
    if (isNode(part) && !Array.isArray(part)) node[key] = by(part);
  }
}

const isNode = (value: unknown): value is Node => value !== null && typeof value === 'object' && !(value instanceof Map);
const nameOf = (node: unknown): unknown => (isNode(node) && node.type === 'Identifier' ? node.value : undefined);
