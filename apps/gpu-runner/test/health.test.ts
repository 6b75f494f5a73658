import { afterAll, beforeAll, expect, it } from 'vitest';
import { HealthServer } from '../src/health/health-server.js';

let ready = false;
let broken = false;
let url: string;
const server = new HealthServer(() => (broken ? Promise.reject(new Error('x')) : Promise.resolve({ engine: true, redis: ready })));
beforeAll(async () => {
  url = `http://127.0.0.1:${await server.listen('127.0.0.1', 0)}`;
});
afterAll(() => server.close());

it('is alive always and ready when every check says so', async () => {
  expect((await fetch(`${url}/health`)).status).toBe(200);
  const notYet = await fetch(`${url}/ready`);
  expect(notYet.status).toBe(503);
  expect(await notYet.json()).toEqual({ engine: true, redis: false });
  ready = true;
  expect((await fetch(`${url}/ready`)).status).toBe(200);
  broken = true;
  expect((await fetch(`${url}/ready`)).status).toBe(503);
  expect((await fetch(`${url}/health`)).status).toBe(200);
});

it('answers nothing else', async () => {
  expect((await fetch(`${url}/other`)).status).toBe(404);
  // Not a URL for every parser.
  expect((await fetch(`${url}//`)).status).toBe(404);
  expect((await fetch(`${url}/ready`, { method: 'POST' })).status).toBe(405);
});
