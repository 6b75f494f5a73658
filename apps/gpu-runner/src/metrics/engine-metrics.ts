import { counterOf, Gauge, gaugeOf, histogramOf, type Distribution, type Registry } from '@aril/metrics';
import type { NativeEngine } from '../engine/native-engine.js';

type Stats = ReturnType<NativeEngine['stats']>;
type Engine = Pick<NativeEngine, 'stats' | 'facts' | 'kvBlockBytes'>;

/** What the engine counts of itself, read from it when somebody asks: its steps cost nothing more for it. */
export function addEngineMetrics(registry: Registry, engine: Engine): void {
  const stats = ofOneMoment(() => engine.stats());
  const { kvBlockBytes, facts } = engine;
  const gauge = (name: string, help: string, read: (stats: Stats) => number): void => gaugeOf(registry, { name: `aril_engine_${name}`, help }, () => read(stats()));
  const counter = (name: string, help: string, read: (stats: Stats) => number): void => counterOf(registry, { name: `aril_engine_${name}`, help }, () => read(stats()));
  const histogram = (name: string, help: string, read: (stats: Stats) => Distribution): void => histogramOf(registry, { name: `aril_engine_${name}`, help }, () => read(stats()));

  const names = Object.keys(facts);
  new Gauge({ name: 'aril_engine_info', help: 'Always 1: version, device, model and number types.', labelNames: names, registers: [registry] }).set(facts, 1);

  gauge('running_sequences', 'Answers being generated.', ({ running }) => running);
  gauge('waiting_sequences', 'Answers submitted and not being generated: no slot or no KV blocks.', ({ waiting }) => waiting);
  histogram('step_seconds', 'How long a step took.', ({ stepSeconds }) => stepSeconds);
  histogram('step_sequences', 'Answers in a step: the batch size.', ({ stepSequences }) => stepSequences);
  histogram('step_tokens', 'Tokens in a step, prefill and decode together.', ({ stepTokens }) => stepTokens);
  histogram('step_segments', 'Runs of tokens of one adapter in a step; 0: of the base model alone.', ({ stepSegments }) => stepSegments);
  counter('generated_tokens_total', 'Tokens generated.', ({ tokensGenerated }) => tokensGenerated);
  counter('drafted_tokens_total', 'Tokens computed in drafts: guessed, to be verified with the one before them.', ({ draftedTokens }) => draftedTokens);
  counter('accepted_tokens_total', 'Of these, those that were drawn too: each has saved a step of its own.', ({ acceptedTokens }) => acceptedTokens);
  counter('preemptions_total', 'Answers that gave their KV blocks back and are computed again.', ({ preemptions }) => preemptions);
  counter('prefix_queried_tokens_total', 'Tokens of admitted requests looked up in the prefix cache.', ({ prefixQueriedTokens }) => prefixQueriedTokens);
  counter('prefix_hit_tokens_total', 'Of these, those that were found.', ({ prefixHitTokens }) => prefixHitTokens);

  gauge('kv_used_bytes', 'KV blocks in use by requests.', ({ kvBlocksTotal, kvBlocksFree }) => (kvBlocksTotal - kvBlocksFree) * kvBlockBytes);
  gauge('kv_cached_bytes', 'KV blocks in no use that hold a prefix which may be found again.', ({ kvBlocksCached }) => kvBlocksCached * kvBlockBytes);
  gauge('kv_limit_bytes', 'What KV blocks could take now, beside the adapters that are resident.', ({ kvBlocksTotal }) => kvBlocksTotal * kvBlockBytes);
  gauge('kv_allocated_bytes', 'Memory that KV blocks have, used or not.', ({ kvBytes }) => kvBytes);
  gauge('memory_limit_bytes', 'What adapters and KV blocks may take together.', ({ memoryBytesMax }) => memoryBytesMax);
  gauge('adapters', 'Adapters resident.', ({ adaptersResident }) => adaptersResident);
  gauge('adapter_bytes', 'Memory of resident adapters.', ({ adapterBytes }) => adapterBytes);
  gauge('adapter_limit_bytes', 'What adapters may take at most.', ({ adapterBytesMax }) => adapterBytesMax);
  histogram('adapter_load_seconds', 'From the first look at the files to residency, waiting for room included.', ({ adapterLoadSeconds }) => adapterLoadSeconds);
  counter('adapter_load_failures_total', 'Adapters that could not be made resident.', ({ adapterLoadsFailed }) => adapterLoadsFailed);
  counter('adapter_evictions_total', 'Adapters dropped to make room.', ({ adaptersEvicted }) => adaptersEvicted);
}

/** One reading for all metrics of a scrape, so that they are of one moment, and the engine is asked once. */
function ofOneMoment<T>(read: () => T): () => T {
  let last: { value: T } | null = null;
  return () => {
    if (last) return last.value;
    last = { value: read() };
    setImmediate(() => (last = null));
    return last.value;
  };
}
