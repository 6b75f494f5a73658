/** How big a GraphQL document may be, whatever transport brings it. Introspection is not counted. */
import { ApolloArmor } from '@escape.tech/graphql-armor';
import { GraphQLError, specifiedRules, validate, type DocumentNode, type GraphQLErrorOptions, type GraphQLSchema } from 'graphql';

const TOKENS_MAX = 2000;

/** Apollo's: what is longer is refused before it is parsed to its end. */
export const parseLimits = { maxTokens: TOKENS_MAX };

const armor = new ApolloArmor({
  maxDepth: { n: 10 },
  maxAliases: { n: 15 },
  maxDirectives: { n: 25 },
  // graphql-js counts tokens itself; Apollo answers Armor's error with a 500.
  maxTokens: { enabled: false },
  costLimit: { maxCost: 5000 },
  // Apollo hides suggestions itself; this covers subscriptions.
  blockFieldSuggestion: { enabled: true },
}).protect();

export const armorPlugins = armor.plugins;
export const armorRules = armor.validationRules;

const SUGGESTION = / ?Did you mean [^?]*\?/;

/** graphql-js's validation plus the limits, for transports that Apollo does not serve. */
export function validateWithLimits(schema: GraphQLSchema, document: DocumentNode): readonly GraphQLError[] {
  const tokens = document.tokenCount ?? 0;
  if (tokens > TOKENS_MAX) return [invalid(`Document contains more than ${TOKENS_MAX} tokens.`)];
  return validate(schema, document, [...specifiedRules, ...armorRules]).map(({ message, nodes, source, positions }) =>
    invalid(message.replace(SUGGESTION, ''), { nodes, source, positions }),
  );
}

const invalid = (message: string, where: GraphQLErrorOptions = {}): GraphQLError =>
  new GraphQLError(message, { ...where, extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } });
