/**
 * How many answers (choices) a runner works on. One tenant can have MAX_BATCH of them at once; the engine has an eighth
 * more, so that somebody who comes while one tenant has filled his part does not wait for one of his to end.
 */
export interface Slots {
  /** Of one tenant. */
  tenant: number;
  engine: number;
  /** Taken from the queue: their adapters load while the batch is full, and no slot is empty for a round trip. */
  taken: number;
}

export function slotsOf({ MAX_BATCH: tenant }: { MAX_BATCH: number }): Slots {
  const eighth = Math.ceil(tenant / 8);
  const engine = tenant + eighth;
  return { tenant, engine, taken: engine + Math.max(2, eighth) };
}
