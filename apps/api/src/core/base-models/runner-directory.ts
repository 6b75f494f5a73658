import { Injectable } from '@nestjs/common';
import { RUNNERS_KEY, runnerHeartbeatSchema } from '@aril/contracts';
import { RedisService } from '../../base/redis/redis.service.js';

/** A runner says something every few seconds; older than this, it is gone. */
const ALIVE_MS = 15_000;

/** Runners that were heard of lately, from their own notes in Redis. */
@Injectable()
export class RunnerDirectory {
  constructor(private readonly redis: RedisService) {}

  /** Base model id → live runners. */
  async online(): Promise<Map<string, number>> {
    const notes = await this.redis.client.hvals(RUNNERS_KEY);
    const counts = new Map<string, number>();
    for (const note of notes) {
      const model = liveModel(note);
      if (model) counts.set(model, (counts.get(model) ?? 0) + 1);
    }
    return counts;
  }
}

/** null: too old, or not a heartbeat this version understands. */
function liveModel(note: string): string | null {
  try {
    const heartbeat = runnerHeartbeatSchema.parse(JSON.parse(note));
    return Date.now() - heartbeat.atMs <= ALIVE_MS ? heartbeat.baseModelId : null;
  } catch {
    return null;
  }
}
