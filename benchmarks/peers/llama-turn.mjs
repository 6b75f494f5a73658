/**
 * One turn of llama.cpp's server: node llama-turn.mjs SPEC OUT (the files of ../workload.mjs). Every request picks its
 * adapter with the server's per-request `lora`.
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { requestLatency } from '../workload.mjs';

const spec = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const START_TIMEOUT_MS = 180_000;

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

function serverArguments(port) {
  const count = spec.prompts.length;
  const context = (spec.prompts[0].length + spec.newTokens + 64) * count;
  const lora =
    spec.adapters.length > 0 ? ['--lora', spec.adapters.join(','), '--lora-init-without-apply'] : [];
  return [
    ...['-m', spec.model, '-t', String(availableParallelism()), '-np', String(count), '-c', String(context)],
    ...['-b', '2048', '-ub', '512', '--host', '127.0.0.1', '--port', String(port), ...lora],
  ];
}

async function startServer(port) {
  const server = spawn(spec.server, serverArguments(port), { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  server.stderr.on('data', (chunk) => (log = (log + chunk).slice(-8000)));
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline && server.exitCode === null) {
    const answer = await fetch(`http://127.0.0.1:${port}/health`).catch(() => null);
    if (answer?.ok) return server;
    await sleep(200);
  }
  server.kill();
  throw new Error(`llama-server did not start:\n${log}`);
}

/** The times (ms since `start`) at which the tokens of one request came. */
async function tokenTimes(port, start, prompt, adapter, newTokens) {
  const body = {
    prompt,
    n_predict: newTokens,
    ignore_eos: true,
    temperature: 0,
    cache_prompt: false,
    stream: true,
  };
  body.return_tokens = true;
  if (adapter >= 0) body.lora = [{ id: adapter, scale: 1 }];
  const answer = await fetch(`http://127.0.0.1:${port}/completion`, {
    method: 'POST',
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`llama-server: ${answer.status} ${await answer.text()}`);
  const times = [];
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of answer.body) {
    const events = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
    rest = events.pop();
    for (const event of events) {
      const { tokens = [] } = JSON.parse(event.replace(/^data: /, ''));
      for (let i = 0; i < tokens.length; i++) times.push(performance.now() - start);
    }
  }
  if (times.length !== newTokens)
    throw new Error(`llama-server gave ${times.length} tokens; expected ${newTokens}.`);
  return times;
}

async function measured(port, run, newTokens) {
  const start = performance.now();
  const times = await Promise.all(
    spec.prompts.map((prompt, i) => tokenTimes(port, start, prompt, run.adapters[i], newTokens)),
  );
  const seconds = (performance.now() - start) / 1000;
  const latencies = times.map(requestLatency);
  return {
    name: run.name,
    seconds,
    tokens: times.flat().length,
    ttftMs: latencies.map(({ ttftMs }) => ttftMs),
    tpotMs: latencies.map(({ tpotMs }) => tpotMs),
  };
}

const port = await freePort();
const server = await startServer(port);
try {
  await measured(port, spec.runs.at(-1), 4);
  const runs = [];
  for (const run of spec.runs) runs.push(await measured(port, run, spec.newTokens));
  writeFileSync(process.argv[3], JSON.stringify({ runs }));
} finally {
  server.kill();
}
