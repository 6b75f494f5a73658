import { query, readGeneration, type Generation } from './graphql.js';
import { eventually } from './processes.js';

/** What an API was settling when it was killed is taken up by another when its lock has run out. */
const SETTLED_WITHIN_MS = 110_000;

/** The generation once it has reached its terminal state, in which it is billed. */
export function settled(apiKey: string, id: string): Promise<Generation> {
  return eventually('the generation to be settled', async () => {
    const generation = await readGeneration(apiKey, id);
    return ['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(generation.status) ? generation : null;
  }, SETTLED_WITHIN_MS);
}

export interface Budget {
  spent: string;
  reserved: string;
}

export const budget = async (apiKey: string): Promise<Budget> =>
  (await query<{ tenant: { budget: Budget } }>(apiKey, '{ tenant { budget { spent reserved } } }')).tenant.budget;

/** The tenant's budget once nothing is reserved of it: all that was asked for is settled. */
export const unreserved = (apiKey: string, withinMs?: number): Promise<Budget> =>
  eventually('nothing to be reserved', () => budget(apiKey).then((now) => now.reserved === '0' && now), withinMs);
