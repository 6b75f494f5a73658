import { cacheExchange, createClient, fetchExchange, type Client } from 'urql';
import { tenantWatch } from './tenant-watch';

/**
 * The one client of the browser. Queries on tenant data name the types they may change with, because the document
 * cache finds those only in answers, and an empty list mentions none (see `use-api-query`).
 */
export const createGraphqlClient = (): Client =>
  createClient({
    url: '/api/graphql',
    exchanges: [tenantWatch(() => window.location.assign('/')), cacheExchange, fetchExchange],
    preferGetMethod: false,
    requestPolicy: 'cache-and-network',
    fetchOptions: { credentials: 'same-origin' },
  });
