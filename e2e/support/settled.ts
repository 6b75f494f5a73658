import { readGeneration, type Generation } from './graphql.js';
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
