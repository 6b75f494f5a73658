/**
 * Whether anyone waits for somebody else's load: a large adapter is loaded while a full batch decodes, and halfway a
 * request arrives whose adapter is resident.
 */
import { median } from './statistics.mjs';

const PROMPT = Array.from({ length: 64 }, (_, i) => 200 + i);

/** @returns {Promise<{ loadMs: number, steps: number, longestStepMs: number, medianStepMs: number, hitTtftMs: number }>} steps: those that ended during the load */
export async function loadWhileServing(engine, large, folders, concurrency) {
  const names = Array.from({ length: concurrency }, (_, i) => `a${i}`);
  for (const [i, name] of names.entries()) await engine.loadAdapter(name, folders[i]);
  const request = (id, adapter, maxTokens) =>
    engine.submit({
      id,
      adapter,
      promptTokens: PROMPT,
      sampling: { temperature: 0 },
      maxTokens,
      ignoreEos: true,
    });

  const ends = [];
  let hitAt;
  let stepped = () => {};
  engine.onEvents = (events) => {
    ends.push(performance.now());
    if (events.some(({ id, type }) => id === 'hit' && type === 'tokens')) hitAt ??= performance.now();
    stepped();
  };
  names.slice(1).forEach((name, i) => request(`running-${i}`, name, 1000));
  const until = (condition) =>
    new Promise((resolve) => {
      stepped = () => condition() && resolve();
    });
  await until(() => ends.length >= 24);
  const undisturbed = intervals(ends.slice(8));

  const begin = performance.now();
  const load = engine.loadAdapter('large', large).then(() => performance.now());
  await until(() => ends.at(-1) > begin);
  const arrived = performance.now();
  request('hit', names[0], 8);
  const end = await load;
  if (hitAt === undefined) await until(() => hitAt !== undefined);
  names.forEach((_, i) => engine.cancel(`running-${i}`));
  const during = ends.filter((at) => at > begin && at <= Math.max(end, hitAt));
  return {
    loadMs: end - begin,
    steps: ends.filter((at) => at > begin && at <= end).length,
    longestStepMs: Math.max(...intervals([ends.findLast((at) => at <= begin), ...during])),
    medianStepMs: median(undisturbed),
    hitTtftMs: hitAt - arrived,
  };
}

const intervals = (times) => times.slice(1).map((time, i) => time - times[i]);
