import type { ApolloDriverConfig } from '@nestjs/apollo';
import { Module } from '@nestjs/common';
import { GraphQLModule } from '@nestjs/graphql';
import type { Request, Response } from 'express';
import { GraphqlDriver } from './driver.js';
import { formatGraphqlError } from './graphql-error.js';
import { introspectionCache } from './introspection-cache.js';
import { armorPlugins, armorRules, parseLimits } from './limits.js';
import { DateTimeScalar } from './scalars.js';
import { SseController } from './sse.controller.js';

export const GRAPHQL_PATH = '/graphql';

/** What resolvers get as context: `req` is all they may use; see `requestOf`. */
const graphqlContext = ({ req, res }: { req: Request; res: Response }): object => ({ req, res });

const options: ApolloDriverConfig = {
  path: GRAPHQL_PATH,
  // In memory; `npm run schema` writes it to schema.graphql and a test checks that file is fresh.
  autoSchemaFile: true,
  sortSchema: false,
  introspection: true,
  graphiql: false,
  // Cookies are sent by any page's forms; a header that only scripts can set keeps those out.
  csrfPrevention: true,
  hideSchemaDetailsFromClientErrors: true,
  includeStacktraceInErrorResponses: false,
  allowBatchedHttpRequests: false,
  autoTransformHttpErrors: false,
  formatError: formatGraphqlError,
  context: graphqlContext,
  // Armor's types come from Apollo's CommonJS build, ours from its ES modules; the objects are the same.
  plugins: [...(armorPlugins as unknown as NonNullable<ApolloDriverConfig['plugins']>), introspectionCache()],
  parseOptions: parseLimits,
  validationRules: armorRules,
  buildSchemaOptions: { scalarsMap: [{ type: Date, scalar: DateTimeScalar }] },
};

@Module({
  imports: [GraphQLModule.forRoot<ApolloDriverConfig>({ driver: GraphqlDriver, ...options })],
  controllers: [SseController],
})
export class GraphqlApiModule {}
