/** How big a GraphQL document may be, whatever transport brings it. Introspection is not counted. */
import { ApolloArmor } from '@escape.tech/graphql-armor';
import { GraphQLError, specifiedRules, validate, type DocumentNode, type GraphQLSchema } from 'graphql';

const armor = new ApolloArmor({
  maxDepth: { n: 10 },
  maxAliases: { n: 15 },
  maxDirectives: { n: 25 },
  maxTokens: { n: 2000 },
  costLimit: { maxCost: 5000 },
  // Apollo hides suggestions itself; this covers subscriptions.
  blockFieldSuggestion: { enabled: true },
}).protect();

export const armorPlugins = armor.plugins;
export const armorRules = armor.validationRules;

const SUGGESTION = / ?Did you mean [^?]*\?/;

/** graphql-js's validation plus the limits, for transports that Apollo does not serve. */
export function validateWithLimits(schema: GraphQLSchema, document: DocumentNode): readonly GraphQLError[] {
  return validate(schema, document, [...specifiedRules, ...armorRules]).map(
    (error) =>
      new GraphQLError(error.message.replace(SUGGESTION, ''), {
        nodes: error.nodes,
        source: error.source,
        positions: error.positions,
        extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
      }),
  );
}
