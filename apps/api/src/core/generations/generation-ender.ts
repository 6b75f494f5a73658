/**
 * Ends a generation that no runner works on: cancelled while it waited, past its deadline, or lost. It does what a
 * runner does: takes the fence, so that a runner believed dead can no longer write; writes the end event, so that
 * everyone who follows learns of it; and leaves the settlement where a runner that comes across the job looks for it.
 */
import { Injectable } from '@nestjs/common';
import {
  generationFenceKey,
  generationRunKey,
  generationStreamKey,
  settlementSchema,
  STREAM_RETENTION_S,
  Transcript,
  type EndEvent,
  type Settlement,
} from '@aril/contracts';
import { RedisService } from '../../base/redis/redis.service.js';
import type { GenerationRow } from '../../models/generation.model.js';
import { SettlementService } from '../settlement/settlement.service.js';
import { readEvents } from './events/event-stream.js';

export type GivenEnd = Pick<EndEvent, 'finishReason' | 'error'>;

const END_LUA = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('XADD', KEYS[2], ARGV[2], 'd', ARGV[3])
redis.call('HSET', KEYS[3], 'settlement', ARGV[4])
for i = 1, 3 do redis.call('EXPIRE', KEYS[i], ARGV[5]) end
return 1
`;

@Injectable()
export class GenerationEnder {
  constructor(
    private readonly redis: RedisService,
    private readonly settlements: SettlementService,
  ) {}

  /** The job must have been withdrawn. False: a runner has taken it all the same and will end it. */
  async end(row: GenerationRow, given: GivenEnd): Promise<boolean> {
    const fence = await this.redis.client.incr(generationFenceKey(row.id));
    const transcript = Transcript.from(await readEvents(this.redis.client, row.id), row.n);
    if (transcript.ended) return this.settleReported(row);
    const end = endAfter(transcript, given);
    transcript.read(end);
    const settlement = settlementOf(row, transcript, end, fence);
    if (!(await this.write(end, settlement))) return false;
    await this.settlements.apply(settlement);
    return true;
  }

  /**
   * Ends a generation in its row alone, without Redis: its caller has been told that it failed, so it must cost nothing.
   * What a runner reports of it later changes nothing any more.
   */
  async endUnheard(row: GenerationRow, error: NonNullable<EndEvent['error']>): Promise<void> {
    const transcript = new Transcript(row.n);
    const end = endAfter(transcript, { finishReason: 'error', error });
    transcript.read(end);
    await this.settlements.apply(settlementOf(row, transcript, end, 1));
  }

  /** Settles what the runner that ended the generation left to be reported. False: it has left nothing. */
  async settleReported(row: GenerationRow): Promise<boolean> {
    const json = await this.redis.client.hget(generationRunKey(row.id), 'settlement');
    if (json === null) return false;
    await this.settlements.apply(settlementSchema.parse(JSON.parse(json)));
    return true;
  }

  private async write(end: EndEvent, settlement: Settlement): Promise<boolean> {
    const { generationId, fence } = settlement;
    const keys = [generationFenceKey, generationStreamKey, generationRunKey].map((key) => key(generationId));
    const values = [fence, `${end.seq}-0`, JSON.stringify(end), JSON.stringify(settlement), STREAM_RETENTION_S];
    return (await this.redis.client.eval(END_LUA, keys.length, ...keys, ...values)) === 1;
  }
}

/** How long the prompt was, no dead runner has told: a prompt is charged only by a runner that ends the generation. */
function endAfter(transcript: Transcript, given: GivenEnd): EndEvent {
  const counts = { promptTokens: 0, cachedTokens: 0, completionTokens: transcript.tokenCount, reasoningTokens: transcript.reasoningTokenCount };
  return { type: 'end', seq: transcript.lastSeq + 1, choice: 0, text: '', ...counts, ...given };
}

function settlementOf(row: GenerationRow, transcript: Transcript, end: EndEvent, fence: number): Settlement {
  const { finishReason, promptTokens, cachedTokens, completionTokens, reasoningTokens, error } = end;
  const now = Date.now();
  return {
    version: 1,
    generationId: row.id,
    tenantId: row.tenantId,
    runnerId: 'api',
    fence,
    text: transcript.choice(0).text,
    choices: transcript.settledChoices(),
    finishReason,
    promptTokens,
    cachedTokens,
    completionTokens,
    reasoningTokens,
    error,
    timings: { queueMs: now - row.createdAt.getTime(), ttftMs: null, totalMs: 0 },
    finishedAtMs: now,
  };
}
