import type { PrismaPg } from '@prisma/adapter-pg';

type Naming = NonNullable<NonNullable<ConstructorParameters<typeof PrismaPg>[1]>['statementNameGenerator']>;

/** Each connection keeps them with their plans, and lists of many lengths make many statements of one query. */
const NAMES_MAX = 250;

/** Names statements, so that a connection has each parsed and planned once. '': not this one, or there are too many. */
export function statementNames(): Naming {
  const names = new Map<string, string>();
  return ({ sql, args }) => {
    // BEGIN and the like need no plan.
    if (args.length === 0) return '';
    const known = names.get(sql);
    if (known !== undefined) return known;
    if (names.size === NAMES_MAX) return '';
    const name = `aril_${names.size}`;
    names.set(sql, name);
    return name;
  };
}
