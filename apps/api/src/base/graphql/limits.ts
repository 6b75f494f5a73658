/** How big a GraphQL document may be, whatever transport brings it. Introspection is not counted. */
import { ApolloArmor } from '@escape.tech/graphql-armor';
import { GraphQLError, parse, specifiedRules, validate, type DocumentNode, type GraphQLErrorOptions, type GraphQLSchema } from 'graphql';

const TOKENS_MAX = 2000;

/** Apollo's: what is longer is refused before it is parsed to its end. */
export const parseLimits = { maxTokens: TOKENS_MAX };

/** What is wrong with a document's syntax, or that it is too long. For transports whose own parsing knows no limit: before it. */
export function syntaxProblem(query: string): GraphQLError | null {
  try {
    parse(query, parseLimits);
    return null;
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    const { message, source, positions } = error;
    return new GraphQLError(message, { source, positions, extensions: { code: 'GRAPHQL_PARSE_FAILED' } });
  }
}

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
  return validate(schema, document, [...specifiedRules, ...armorRules]).map(({ message, nodes, source, positions }) =>
    invalid(message.replace(SUGGESTION, ''), { nodes, source, positions }),
  );
}

const invalid = (message: string, where: GraphQLErrorOptions = {}): GraphQLError =>
  new GraphQLError(message, { ...where, extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } });
