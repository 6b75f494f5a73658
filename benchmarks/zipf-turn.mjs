/**
 * Traffic over many registered adapters, in a process of its own: node zipf-turn.mjs SPEC OUT. `concurrency` requests
 * are always open; a new one arrives whenever one ends, for the adapter that the specification's `ranks` say. Its
 * load is asked for when it arrives, as the runner does, and it is submitted when the adapter is there.
 *
 * With `resident`, the same traffic runs on that many adapters that are all loaded: a name that is running keeps the
 * one it was given, so batches have the same segments and differ in nothing but the loads.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createEngine } from '@aril/sgmv-native';
import { loadWhileServing } from './load-probe.mjs';
import { uniform } from './random.mjs';
import { requestLatency } from './workload.mjs';

const spec = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { model, options, folders, room, concurrency, promptTokens, newTokens, ranks, resident, large } = spec;

async function bytesOfOne() {
  const engine = await createEngine({ model, ...options });
  await engine.loadAdapter('probe', folders[0]);
  const { adapterBytes } = engine.stats();
  await engine.close();
  return adapterBytes;
}

/** Which adapter a name stands for: itself, or with `resident` one of the loaded few that no other name is using. */
class Assignment {
  #free = Array.from({ length: resident ?? 0 }, (_, i) => i);
  #held = new Map();

  take(rank) {
    if (resident === undefined) return rank;
    const held = this.#held.get(rank) ?? { adapter: this.#free.shift(), users: 0 };
    held.users++;
    this.#held.set(rank, held);
    return held.adapter;
  }

  release(rank) {
    const held = this.#held.get(rank);
    if (!held || --held.users > 0) return;
    this.#held.delete(rank);
    this.#free.push(held.adapter);
  }
}

class Traffic {
  records = [];
  loads = [];
  tokensInWindow = 0;
  #assignment = new Assignment();
  #open = new Map();
  #next = 0;

  constructor(engine) {
    this.engine = engine;
    this.random = uniform(9);
    engine.onEvents = (events) => events.forEach((event) => this.#take(event));
  }

  /** Seconds until the last request arrived: from there on the batch only drains. */
  async run() {
    this.start = performance.now();
    await Promise.all(Array.from({ length: concurrency }, () => this.#lane()));
    return this.windowMs / 1000;
  }

  async #lane() {
    while (this.#next < ranks.length) {
      const index = this.#next++;
      if (this.#next === ranks.length) this.windowMs = this.#now();
      await this.#request(index);
    }
  }

  #now = () => performance.now() - this.start;

  async #request(index) {
    const adapter = this.#assignment.take(ranks[index]);
    const name = `a${adapter}`;
    const hit = this.engine.adapters().some((one) => one.name === name);
    const record = { index, hit, arrived: this.#now(), times: [] };
    await this.engine.loadAdapter(name, folders[adapter]);
    if (!record.hit) this.loads.push([record.arrived, this.#now()]);
    record.submittedMs = this.#now() - record.arrived;
    await new Promise((done, fail) => {
      this.#open.set(`r${index}`, { record, done, fail });
      this.engine.submit({
        id: `r${index}`,
        adapter: name,
        promptTokens: Array.from(
          { length: promptTokens },
          () => 100 + Math.floor(this.random() * (this.engine.model.vocabSize - 100)),
        ),
        sampling: { temperature: 0 },
        maxTokens: newTokens,
        ignoreEos: true,
      });
    });
    this.#assignment.release(ranks[index]);
    this.records.push(record);
  }

  #take(event) {
    const { record, done, fail } = this.#open.get(event.id);
    if (event.type === 'tokens') {
      for (let i = 0; i < event.tokens.length; i++) record.times.push(this.#now() - record.arrived);
      if (this.windowMs === undefined) this.tokensInWindow += event.tokens.length;
      return;
    }
    this.#open.delete(event.id);
    if (event.error) fail(new Error(`${event.error.code}: ${event.error.message}`));
    else done();
  }
}

/** Whether some load was under way between a request's arrival and its first token. */
const overlaps = (loads, { arrived, times }) =>
  loads.some(([begin, end]) => begin < arrived + times[0] && end > arrived);

const adapterBytes = (resident ?? room) * (await bytesOfOne());
const engine = await createEngine({ model, maxBatch: concurrency, adapterBytes, prefixCache: false, ...options });
for (let i = 0; i < (resident ?? room); i++) await engine.loadAdapter(`a${i}`, folders[i]);
const traffic = new Traffic(engine);
const seconds = await traffic.run();
// The first wave finds an idle engine and arrives all at once: it says nothing about traffic.
const later = traffic.records.filter(({ index }) => index >= concurrency);
const requests = later.map((record) => ({
  hit: record.hit,
  duringLoad: overlaps(traffic.loads, record),
  submittedMs: record.submittedMs,
  ...requestLatency(record.times),
}));
const probe = large ? await loadWhileServing(engine, large, folders, concurrency) : null;
await engine.close();
writeFileSync(process.argv[3], JSON.stringify({ seconds, tokens: traffic.tokensInWindow, requests, probe }));
