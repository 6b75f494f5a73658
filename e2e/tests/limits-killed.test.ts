/** Processes killed again and again under a tenant that is held to a budget and to requests at once. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { generate, type Generation } from '../support/graphql.js';
import { apiReady, eventually, kill } from '../support/processes.js';
import { budget, unreserved } from '../support/settled.js';
import { stack, tenantWith } from '../support/stack.js';

const tenant = tenantWith('triage');
const CALLS = 8;
const PARALLEL = 4;
const SETTLED_WITHIN_MS = 180_000;

let cookie: string;

async function setLimits(limits: { parallelRequests: number | null; budgetHard: string | null }): Promise<void> {
  const document = 'mutation ($input: UpdateTenantLimitsInput!) { updateTenantLimits(input: $input) { tenant { id } } }';
  const headers = { 'content-type': 'application/json', cookie, origin: stack.portalUrl };
  const response = await fetch(`${stack.apiUrl}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query: document, variables: { input: limits } }) });
  expect(((await response.json()) as { errors?: unknown }).errors).toBeUndefined();
}

beforeAll(async () => {
  await apiReady();
  const headers = { 'content-type': 'application/json', origin: stack.portalUrl };
  const body = JSON.stringify({ email: tenant.login, password: tenant.password });
  const response = await fetch(`${stack.apiUrl}/api/auth/sign-in/email`, { method: 'POST', headers, body });
  cookie = response.headers.getSetCookie().map((line) => line.split(';', 1)[0]).join('; ');
});
afterAll(() => setLimits({ parallelRequests: null, budgetHard: null }));

const request = () => ({
  target: 'triage',
  messages: [{ role: 'USER', content: 'URGENT: I was charged twice.' }],
  sampling: { temperature: 0, maxTokens: 60, ignoreEos: true },
  idempotencyKey: randomUUID(),
});

/** Asks until there is an answer, as a client with an idempotency key may. */
const persist = (input: ReturnType<typeof request>): Promise<Generation> => eventually('an answer', () => generate(tenant.apiKey, input));

it('nothing stays reserved, every answer is billed once, and slots are free again', { timeout: 2 * SETTLED_WITHIN_MS }, async () => {
  const probe = await persist(request());
  expect(probe.status).toBe('SUCCEEDED');
  const before = await budget(tenant.apiKey);
  // Room for all that is asked for, were each reservation given back; not were some left behind.
  await setLimits({ parallelRequests: PARALLEL, budgetHard: String(BigInt(before.spent) * BigInt(CALLS * 20)) });
  const inputs = Array.from({ length: CALLS }, request);
  const answers = Promise.all(inputs.map(persist));
  for (const name of ['api', 'runner', 'api'] as const) {
    await sleep(200 + 700 * Math.random());
    await kill(name).catch(() => undefined);
    await apiReady();
  }
  const generations = await answers;
  expect(generations.map(({ status, completionTokens }) => [status, completionTokens])).toEqual(inputs.map(() => ['SUCCEEDED', 60]));
  // The same answer to whoever asks again, and one to all, as they asked the same.
  expect(await Promise.all(inputs.map(persist))).toEqual(generations);
  expect(new Set(generations.map(({ text }) => text))).toEqual(new Set([probe.text]));
  expect(new Set(generations.map(({ id }) => id)).size).toBe(CALLS);

  // What an API was settling when it was killed is taken up by another when its lock has run out.
  const after = await unreserved(tenant.apiKey, SETTLED_WITHIN_MS);
  const ofOne = BigInt(after.spent) - BigInt(before.spent);
  expect(ofOne % BigInt(CALLS)).toBe(0n);
  const slots = await Promise.all(Array.from({ length: PARALLEL }, () => generate(tenant.apiKey, request())));
  expect(slots.map(({ status }) => status)).toEqual(slots.map(() => 'SUCCEEDED'));
  const then = await unreserved(tenant.apiKey);
  expect(BigInt(then.spent) - BigInt(after.spent)).toBe((ofOne / BigInt(CALLS)) * BigInt(PARALLEL));
});
