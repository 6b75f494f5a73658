/** Clients that read slowly, or not at all for a while: what they leave lying must not pile up in the API. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { startGeneration } from './generation-fixtures.js';
import { createTenant, type Credentials, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { gate, ScriptedRunner, until } from './scripted-runner.js';

const EVENTS = 1_000;
const CHARS = 24 * 1_024;
const MIB = 1024 * 1024;
/** What buffers on the way and the garbage of other work may take, of 23 MiB that are not read. */
const LEFT_LYING_MAX = 12 * MIB;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

async function usedBytes(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Text as long as every event's, which begins with its number. */
const textOf = (number: number): string => `<${number}>`.padEnd(CHARS, '.');

interface Reader {
  stop(): void;
  /** Goes on to the end, and gives the numbers of what came, in order. */
  rest(): Promise<number[]>;
}
type Open = (test: TestApp, key: Credentials & { authorization: string }, ask: () => Promise<string>) => Promise<Reader>;

const numbersIn = (text: string): number[] => [...text.matchAll(/<(\d+)>/g)].map(([, number]) => Number(number));

async function overHttp(test: TestApp, request: { path: string; headers: Credentials; body: object }): Promise<Reader> {
  const url = new URL(test.url);
  const socket: Socket = connect(Number(url.port), url.hostname);
  const body = JSON.stringify(request.body);
  const headers = { host: url.host, connection: 'close', 'content-type': 'application/json', accept: 'text/event-stream', 'content-length': String(Buffer.byteLength(body)), ...request.headers };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.write([`POST ${request.path} HTTP/1.1`, ...lines, '', body].join('\r\n'));
  const chunks: string[] = [];
  let end = '';
  socket.on('data', (chunk) => {
    chunks.push(String(chunk));
    end = (end + chunks.at(-1)).slice(-7);
  });
  await until(() => chunks.join('').includes('<0>'));
  return {
    stop: () => void socket.pause(),
    async rest() {
      socket.resume();
      // The last chunk of a body.
      await until(() => end === '\r\n0\r\n\r\n', 30_000);
      socket.destroy();
      return numbersIn(chunks.join(''));
    },
  };
}

const SUBSCRIPTION = `subscription ($id: ID!) { generationEvents(generationId: $id) { __typename ... on GenerationTokens { text } ... on GenerationEnd { text } } }`;

const readers: [string, Open][] = [
  ['/v1', (test, key) => overHttp(test, { path: '/v1/completions', headers: key, body: { model: TEST_MODEL, prompt: 'long', stream: true, max_tokens: 10 } })],
  ['GraphQL over SSE', async (test, key, ask) => overHttp(test, { path: '/graphql/stream', headers: key, body: { query: SUBSCRIPTION, variables: { id: await ask() } } })],
  [
    'GraphQL over WebSocket',
    async (test, key, ask) => {
      const socket = new WebSocket(`${test.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
      const numbers: number[] = [];
      let over = false;
      socket.on('message', (data) => {
        const message = JSON.parse(String(data)) as { type: string };
        numbers.push(...numbersIn(String(data)));
        over ||= message.type === 'complete';
      });
      await once(socket, 'open');
      socket.send(JSON.stringify({ type: 'connection_init', payload: key }));
      socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: SUBSCRIPTION, variables: { id: await ask() } } }));
      await until(() => numbers.length);
      return {
        stop: () => socket.pause(),
        async rest() {
          socket.resume();
          await until(() => over, 30_000);
          socket.close();
          return numbers;
        },
      };
    },
  ],
];

describe('a client that stops reading', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let one: Awaited<ReturnType<typeof createTenant>>;
  beforeAll(async () => {
    test = await startApp();
    one = await createTenant(test);
    runner = new ScriptedRunner(test);
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  it.each(readers)('%s: leaves next to nothing lying in the API, and gets everything once it goes on', async (_name, open) => {
    const [stopped, written, measured] = [gate(), gate(), gate()];
    runner.script = async (run) => {
      await run.tokens(textOf(0));
      await stopped.opened;
      for (let number = 1; number < EVENTS; number++) await run.tokens(textOf(number));
      run.forget();
      written.open();
      await measured.opened;
      await run.finish('stop');
    };
    const reader = await open(test, one.key, async () => (await startGeneration(test, one.key)).id);
    reader.stop();
    const before = await usedBytes();
    stopped.open();
    await written.opened;
    // The API has read what it wants to read by now.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await usedBytes()) - before).toBeLessThan(LEFT_LYING_MAX);
    measured.open();
    expect(await reader.rest()).toEqual(Array.from({ length: EVENTS }, (_, number) => number));
  });
});
