/**
 * What drafts give: tokens per second with them and without, in turns on two engines of one process, as medians of the turns'
 * ratios; and the same of the processor's time per token, which does not mind so much who else uses the machine. The answers of
 * both must be the same.
 *   node benchmarks/drafts.mjs [--turns 5] [--draft-tokens 8] [--only edit] [--concurrency 1,4,16,32] [--threads 0] [--json]
 */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createEngine, ModelTokenizer } from '@aril/sgmv-native';
import { uniform } from './random.mjs';
import { median } from './statistics.mjs';

const { values } = parseArgs({
  options: {
    turns: { type: 'string', default: '5' },
    'draft-tokens': { type: 'string' },
    only: { type: 'string' },
    concurrency: { type: 'string', default: '1,4,16,32' },
    threads: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
  },
});
const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'models/smollm2-135m-instruct');
const weights = process.env.MODEL_PATH ?? join(process.env.ARIL_CACHE ?? join(homedir(), '.cache/aril'), 'models/SmolLM2-135M-Instruct.Q4_1.gguf');
if (!existsSync(weights)) throw new Error(`MODEL_PATH: found ${weights}, which is not there; expected the weights in models/catalog.json.`);

const tokenizer = await ModelTokenizer.load(folder);
const random = uniform(7);
const pick = (list) => list[Math.floor(random() * list.length)];
const some = (count, make) => Array.from({ length: count }, (_, i) => make(i));
const NAMES = ['Nora', 'Felix', 'Amina', 'Jonas', 'Priya', 'Marek', 'Lucía', 'Tomas'];
const CITIES = ['Madrid', 'Oslo', 'Lyon', 'Gdansk', 'Porto', 'Leeds', 'Graz', 'Turin'];
const THINGS = ['green chairs', 'oak tables', 'desk lamps', 'wool blankets', 'steel kettles', 'garden hoses', 'paper boxes', 'blue mugs'];
const DAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday'];
const TABLES = [
  ['cars', ['id', 'brand', 'price', 'color']],
  ['employees', ['id', 'name', 'department', 'salary', 'hired_on']],
  ['invoices', ['id', 'customer_name', 'amount_due', 'issued_on', 'paid']],
  ['books', ['id', 'title', 'author', 'publisher', 'published_year']],
];
const TOPICS = ['a lighthouse keeper', 'the first train', 'an old map', 'winter in a harbour', 'a lost violin', 'bees', 'a night market', 'the deep sea'];

const order = () =>
  `Hi, this is ${pick(NAMES)}. Please send ${2 + Math.floor(random() * 40)} ${pick(THINGS)} and ${2 + Math.floor(random() * 40)} ${pick(THINGS)} to ${pick(CITIES)} by ${pick(DAYS)}.`;
function question() {
  const [table, columns] = pick(TABLES);
  return `Table ${table}(${columns.join(', ')})\nQuestion: How many ${table} have ${pick(columns.slice(1))} ${pick(['red', 'Smith', '1200', 'Oslo'])}?`;
}
function letter(name, city, day) {
  return `Dear ${name},\n\nThank you for your order. We have packed the ${pick(THINGS)} and the ${pick(THINGS)}, and they will be sent to our store in ${city}. You can collect them there from ${day} on, between nine in the morning and six in the evening. Please bring the number of your order and something that shows your name. If you cannot come in person, write us the name of the person who will come instead. Unopened boxes can be returned within thirty days.\n\nKind regards,\nFern & Thistle`;
}
function edit() {
  const text = letter(pick(NAMES), pick(CITIES), pick(DAYS));
  const city = pick(CITIES);
  return { prompt: `Write this letter again, word for word, but with the store in ${city}:\n\n${text}`, prediction: text };
}

const object = (properties) => ({ type: 'object', properties, required: Object.keys(properties), additionalProperties: false });
const text = { type: 'string', maxLength: 40 };
const ORDER = object({
  customer_first_name: text,
  delivery_address_city: text,
  requested_delivery_weekday: { enum: DAYS },
  ordered_items: { type: 'array', minItems: 2, maxItems: 2, items: object({ product_description: text, ordered_quantity: { type: 'integer', minimum: 1, maximum: 99 } }) },
  payment_has_been_received: { type: 'boolean' },
});
const WEATHER = object({ city_or_region_name: text, temperature_unit: { enum: ['celsius', 'fahrenheit'] }, number_of_forecast_days: { type: 'integer', minimum: 1, maximum: 9 } });

const greedy = { temperature: 0 };
const WORKLOADS = {
  'order-json': () => ({ adapter: 'order-json', prompt: order(), maxTokens: 96 }),
  sql: () => ({ adapter: 'sql', prompt: question(), maxTokens: 96 }),
  edit: () => ({ ...edit(), maxTokens: 200 }),
  'edit, without a prediction': () => ({ prompt: edit().prompt, maxTokens: 200 }),
  'json schema': () => ({ prompt: `Write the order as JSON.\n\n${order()}`, maxTokens: 160, constraint: { type: 'jsonSchema', schema: ORDER } }),
  'json schema, sampled': (i) => ({ prompt: `Write the order as JSON.\n\n${order()}`, maxTokens: 160, constraint: { type: 'jsonSchema', schema: ORDER }, sampling: { temperature: 1, seed: i } }),
  'tool call': () => ({ prompt: `What will the weather be like in ${pick(CITIES)} until ${pick(DAYS)}?`, maxTokens: 96, constraint: { type: 'calls', schema: { $defs: { get_weather_forecast: WEATHER } }, functions: ['get_weather_forecast'], required: true, parallel: false } }),
  'any json': () => ({ prompt: `Write the order as JSON.\n\n${order()}`, maxTokens: 96, constraint: { type: 'json' } }),
  chat: () => ({ prompt: `Tell me about ${pick(TOPICS)}.`, maxTokens: 128 }),
  'story, sampled': (i) => ({ prompt: `Write a story about ${pick(TOPICS)} and ${pick(TOPICS)}.`, maxTokens: 128, sampling: { temperature: 1, seed: i } }),
};

const requestOf = ({ prompt, prediction, ...rest }) => ({
  promptTokens: tokenizer.chat([{ role: 'user', content: prompt }]),
  predictionTokens: prediction ? tokenizer.encode(prediction, { addSpecialTokens: false }) : undefined,
  sampling: greedy,
  ...rest,
});

async function open(draftTokens) {
  const engine = await createEngine({ model: weights, vocabulary: tokenizer.vocabulary(), maxBatch: 32, prefixCache: false, threads: Number(values.threads), kvBytes: 2 ** 29, draftTokens });
  for (const name of ['order-json', 'sql']) await engine.loadAdapter(name, join(root, 'examples/adapters', name));
  return engine;
}

/** All requests, `concurrency` of them open at a time. */
function run(engine, requests, concurrency) {
  return new Promise((resolve, reject) => {
    const answers = requests.map(() => []);
    let next = 0, ended = 0, tokens = 0;
    const submit = () => next < requests.length && engine.submit({ ...requests[next], id: String(next++) });
    const before = engine.stats();
    const began = performance.now();
    const usedBefore = process.cpuUsage();
    engine.onEvents = (events) => {
      for (const event of events) {
        if (event.type === 'tokens') answers[event.id].push(...event.tokens);
        if (event.type !== 'end') continue;
        if (event.error) return reject(new Error(event.error.message));
        tokens += event.completionTokens;
        ended++;
        submit();
      }
      if (ended < requests.length) return;
      const after = engine.stats();
      const seconds = (performance.now() - began) / 1000;
      const used = process.cpuUsage(usedBefore);
      resolve({ answers, perSecond: tokens / seconds, cpuMs: (used.user + used.system) / 1000 / tokens, tokens, drafted: after.draftedTokens - before.draftedTokens, accepted: after.acceptedTokens - before.acceptedTokens });
    };
    for (let i = 0; i < concurrency; i++) submit();
  });
}

const engines = { without: await open(0), with: await open(values['draft-tokens'] === undefined ? undefined : Number(values['draft-tokens'])) };
for (const engine of Object.values(engines)) await run(engine, [requestOf(WORKLOADS.edit())], 1); // warms up
const rows = [];
for (const [name, make] of Object.entries(WORKLOADS)) {
  if (values.only && !name.startsWith(values.only)) continue;
  for (const concurrency of values.concurrency.split(',').map(Number)) {
    const requests = some(Math.max(8, concurrency), (i) => requestOf(make(i)));
    const ratios = [], cpu = [];
    let last;
    for (let turn = 0; turn < Number(values.turns); turn++) {
      const of = {};
      for (const which of turn % 2 ? ['with', 'without'] : ['without', 'with']) of[which] = await run(engines[which], requests, concurrency);
      if (JSON.stringify(of.with.answers) !== JSON.stringify(of.without.answers)) throw new Error(`${name}: the answers differ.`);
      ratios.push(of.with.perSecond / of.without.perSecond);
      cpu.push(of.without.cpuMs / of.with.cpuMs);
      last = of;
    }
    const row = { name, concurrency, ratio: median(ratios), cpu: median(cpu), least: Math.min(...ratios), most: Math.max(...ratios), tokens: last.with.tokens, drafted: last.with.drafted, accepted: last.with.accepted, perSecondWithout: last.without.perSecond };
    rows.push(row);
    if (!values.json) console.log(`${name.padEnd(26)} ${String(concurrency).padStart(2)} at a time: ${row.ratio.toFixed(2)} (${row.least.toFixed(2)} to ${row.most.toFixed(2)}), processor ${row.cpu.toFixed(2)}, ${row.tokens} tokens, ${row.drafted} drafted, ${row.accepted} accepted; ${row.perSecondWithout.toFixed(0)} tokens/s without`);
  }
}
if (values.json) console.log(JSON.stringify(rows, null, 1));
await Promise.all(Object.values(engines).map((engine) => engine.close()));
