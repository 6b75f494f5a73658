import { GraphQLDateTimeISO } from 'graphql-scalars';
import { GraphQLError, GraphQLScalarType, Kind } from 'graphql';

const iso = GraphQLDateTimeISO.toConfig();

/** There is no year 0, and Postgres says so. */
function storable(time: Date): Date {
  if (time.getUTCFullYear() >= 1) return time;
  throw new GraphQLError('DateTime: expected a year from 0001 on', { extensions: { code: 'BAD_USER_INPUT' } });
}

/** ISO 8601 in and out. What fields of type `Date` are. */
export const DateTimeScalar = new GraphQLScalarType({
  ...iso,
  name: 'DateTime',
  description: undefined,
  parseValue: (value) => storable(iso.parseValue(value)),
  parseLiteral: (node, variables) => storable(iso.parseLiteral(node, variables)),
});

function parse(value: unknown): bigint {
  if (typeof value === 'string' && /^-?\d{1,30}$/.test(value)) return BigInt(value);
  throw new GraphQLError('NanoUsd: expected a decimal string', { extensions: { code: 'BAD_USER_INPUT' } });
}

/** Resolvers return `bigint`s; fields name it: `@Field(() => NanoUsdScalar)`. */
export const NanoUsdScalar = new GraphQLScalarType<bigint, string>({
  name: 'NanoUsd',
  description: 'An amount of 10⁻⁹ US dollars, as a decimal string: integers of this size do not fit JSON numbers.',
  serialize: (value) => BigInt(value as bigint).toString(),
  parseValue: parse,
  parseLiteral: (node) => parse(node.kind === Kind.STRING ? node.value : null),
});
