/** Sums are text on their way from the database: they may exceed what the driver's numbers hold. */
type AsText<Name extends string> = Record<Name, string>;

/** Counts, which stay below 2^53. */
export const toNumbers = <Name extends string>(row: AsText<Name>, names: readonly Name[]): Record<Name, number> =>
  Object.fromEntries(names.map((name) => [name, Number(row[name])])) as Record<Name, number>;

export const toBigInts = <Name extends string>(row: AsText<Name>, names: readonly Name[]): Record<Name, bigint> =>
  Object.fromEntries(names.map((name) => [name, BigInt(row[name])])) as Record<Name, bigint>;
