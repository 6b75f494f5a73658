import { readGeneration, type Generation } from './graphql.js';
import { eventually } from './processes.js';

/** The generation once it has reached its terminal state, in which it is billed. */
export function settled(apiKey: string, id: string): Promise<Generation> {
  return eventually('the generation to be settled', async () => {
    const generation = await readGeneration(apiKey, id);
    return ['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(generation.status) ? generation : null;
  });
}
