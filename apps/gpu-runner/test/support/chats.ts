/** Chats with models that think. */
import type { GenerationJob } from '@aril/contracts';
import { expect } from 'vitest';
import { aJob, type World } from './fixtures.js';

type Changes = Parameters<typeof aJob>[0] & { asked?: object };
export const aChat = ({ asked, ...changes }: Changes = {}): GenerationJob =>
  aJob({ input: { kind: 'messages', messages: [{ role: 'user', content: 'Is it cold?' }], ...asked }, ...changes });

/** Its texts are those of its events, and its tokens are counted. */
export async function runChat(world: World, job: GenerationJob) {
  await world.enqueue(job);
  const settlement = await world.settlement(job.generationId);
  const tokens = await world.tokens(job.generationId);
  expect(await world.text(job.generationId)).toBe(settlement.text);
  expect(settlement).toMatchObject({ error: null, completionTokens: tokens.length });
  return { settlement, tokens, text: settlement.text };
}
