/**
 * Names of BullMQ queues and Redis keys. One prefix, so that several installations can share a Redis.
 */

/** Generations of every tenant, one queue per base model: the batch is what they share. */
export const generationQueue = (baseModelId: string): string => `generations.${baseModelId}`;

/** Prompts whose tokens somebody wants to know the number of, one queue per base model. */
export const tokenCountQueue = (baseModelId: string): string => `token-counts.${baseModelId}`;

/** Ends of generations, runner → API. Settled at least once, applied exactly once. */
export const SETTLEMENT_QUEUE = 'settlements';

/** BullMQ job names, `namespace.verbNoun`. */
export const JOB_RUN_GENERATION = 'generation.run';
export const JOB_COUNT_TOKENS = 'tokens.count';
export const JOB_SETTLE_GENERATION = 'generation.settle';

/**
 * The order of a queue between tenants is start-time fair (Goyal, Vin, Cheng 1996): a job's turn is the queue's virtual
 * time or the end of its tenant's last one, whichever is later, and a turn lasts as long as the job has choices. Hash:
 * `now`, the turn of the last job that a runner has let in, and by tenant id the end of its last turn.
 */
export const virtualTimeKey = (baseModelId: string): string => `aril:queue:${baseModelId}:virtual-time`;
/** A queue that nobody has used for so long begins anew. */
export const VIRTUAL_TIME_TTL_S = 3_600;
/** BullMQ's bound on priorities. Of jobs in the background, which have no turn: after all that have one, in order of arrival. */
export const BACKGROUND_PRIORITY = 2_097_151;
/** A job's turn is its priority in BullMQ, where 0 means none; what comes later than the bound comes in order of arrival. */
export const priorityOf = (turn: number): number => Math.min(1 + turn, BACKGROUND_PRIORITY - 1);
export const turnOf = (priority: number): number => Math.max(0, priority - 1);
/** Of a member of BullMQ's sorted set of prioritized jobs; the lower 32 bits of a score are the order of arrival. */
export const turnOfScore = (score: number): number => turnOf(Math.floor(score / 2 ** 32));

/** BullMQ's key prefix for all of Aril's queues. */
export const QUEUE_PREFIX = 'aril:bull';

/** Redis Stream of a generation's events; entry IDs are `<seq>-0`, `seq` counting from 1. */
export const generationStreamKey = (generationId: string): string => `aril:generation:${generationId}:events`;

/** The fencing token of the runner that owns the generation now: INCR on taking the job, compared on every write. */
export const generationFenceKey = (generationId: string): string => `aril:generation:${generationId}:fence`;

/** Set (to any value) when the caller has cancelled; checked on taking the job. */
export const generationCancelKey = (generationId: string): string => `aril:generation:${generationId}:cancelled`;

/**
 * Hash with what the runners of a generation tell each other: `takenAtMs` (first take), `firstTokenAtMs`, and, written
 * together with the end event, `settlement` (JSON), so that every runner reports the same end in the same words. `handedBack` counts the runners that
 * gave it back of their own accord.
 */
export const generationRunKey = (generationId: string): string => `aril:generation:${generationId}:run`;

/** Pub/sub channel on which cancelled generation IDs are announced to all runners. */
export const CANCEL_CHANNEL = 'aril:cancel';

/** Hash of live runners: field = runner id, value = JSON of `runnerHeartbeatSchema`; each runner rewrites its own. */
export const RUNNERS_KEY = 'aril:runners';

/** How long a generation's stream and keys stay in Redis after its end, seconds. */
export const STREAM_RETENTION_S = 15 * 60;
