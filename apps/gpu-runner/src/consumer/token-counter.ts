import { QUEUE_PREFIX, tokenCountJobSchema, tokenCountQueue, type TokenCount } from '@aril/contracts';
import { Worker } from 'bullmq';
import type { Config } from '../config.js';
import { EngineFailure, type InferenceEngine } from '../engine/inference-engine.js';
import type { Logger } from '../logging.js';
import { queueConnection } from '../redis/connections.js';

/** The tokenizer's threads have one prompt at a time; others wait there in order of their length. */
const CONCURRENCY = 4;

/** Counts the tokens of prompts for whoever waits for the number. Does not start by itself. */
export function createTokenCounter(config: Config, engine: InferenceEngine, logger: Logger): Worker<unknown, TokenCount> {
  const worker = new Worker<unknown, TokenCount>(
    tokenCountQueue(config.BASE_MODEL_ID),
    async ({ data }) => {
      try {
        return { tokens: (await engine.encode(tokenCountJobSchema.parse(data).input)).length };
      } catch (error) {
        if (error instanceof EngineFailure) return { error: { code: error.error.code, message: error.error.message } };
        throw error;
      }
    },
    {
      connection: queueConnection(config.REDIS_URL),
      prefix: QUEUE_PREFIX,
      name: config.RUNNER_ID,
      autorun: false,
      concurrency: CONCURRENCY,
      // A job holds a prompt: it goes with its answer, which is in the event that tells of it.
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
      runRetryDelay: 1000,
    },
  );
  worker.on('error', (error) => logger.warn({ error: error.message }, 'the counter of tokens reported an error'));
  return worker;
}
