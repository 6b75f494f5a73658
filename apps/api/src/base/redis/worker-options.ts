import { QUEUE_PREFIX } from '@aril/contracts';

/**
 * Of every BullMQ worker of an API process. What a process that dies has taken, another takes up at most `lockDuration` +
 * 2 × `stalledInterval` later: 16 s, where BullMQ's own defaults make it 90. The lock is renewed at half its duration; a
 * process that stands still for longer loses it and finds its work done a second time, which all of it must bear.
 */
export const WORKER_OPTIONS = {
  prefix: QUEUE_PREFIX,
  lockDuration: 10_000,
  stalledInterval: 3_000,
  /** An API that is killed again and again at its work must not make the work fail. */
  maxStalledCount: 1_000_000,
  /** How soon a worker tries again what it could not do while Redis was away; BullMQ's default is 15 s. */
  runRetryDelay: 1_000,
} as const;
