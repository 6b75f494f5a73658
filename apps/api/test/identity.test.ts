import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cookieOf, createTenant, data, graphql, ORIGIN, signUp, startApp, type TestApp } from './harness.js';

interface TenantAnswer {
  id: string;
  name: string;
  slug: string;
  members: { role: string; user: { id: string; email: string } }[];
}

describe('identity', () => {
  let test: TestApp;
  beforeAll(async () => {
    test = await startApp();
  });
  afterAll(() => test.stop());

  const auth = (path: string, body: object, headers: Record<string, string> = { origin: ORIGIN }): Promise<Response> =>
    fetch(`${test.url}/api/auth/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });

  const TENANT = '{ tenant { id name slug members { role user { id email } } } }';
  const tenantOf = async (credentials: Record<string, string>): Promise<TenantAnswer> =>
    (await data(graphql<{ tenant: TenantAnswer }>(test, credentials, TENANT))).tenant;

  it('sign-up makes the user and its tenant, with the user as owner, and signs in', async () => {
    const user = await signUp(test, 'Fern & Thistle');
    expect(await tenantOf(user.cookie)).toMatchObject({
      name: 'Fern & Thistle',
      slug: 'fern-thistle',
      members: [{ role: 'OWNER', user: { email: user.email } }],
    });
    const { viewer } = await data(graphql<{ viewer: { email: string } }>(test, user.cookie, '{ viewer { id name email } }'));
    expect(viewer.email).toBe(user.email);
  });

  it('gives the second tenant of a name another slug', async () => {
    const [one, two] = [await signUp(test, 'Same Name'), await signUp(test, 'Same Name')];
    const slugs = [(await tenantOf(one.cookie)).slug, (await tenantOf(two.cookie)).slug];
    expect(slugs[0]).toBe('same-name');
    expect(slugs[1]).toMatch(/^same-name-[0-9a-f]{8}$/);
  });

  it.each([
    ['a short password', { name: 'A', email: 'a@example.test', password: 'short', tenantName: 'T' }],
    ['an e-mail address that is none', { name: 'A', email: 'nonsense', password: 'long enough', tenantName: 'T' }],
    ['an overlong tenant name', { name: 'A', email: 'b@example.test', password: 'long enough', tenantName: 'x'.repeat(81) }],
  ])('refuses %s and leaves nothing behind', async (_, body) => {
    expect((await auth('sign-up/email', body)).status).toBe(400);
    expect((await auth('sign-in/email', { email: body.email, password: body.password })).status).toBeGreaterThanOrEqual(400);
  });

  it('refuses what Postgres cannot hold, naming the field', async () => {
    const { cookie } = await signUp(test, 'Whole');
    const asked: [string, object, string][] = [
      ['sign-up/email', { name: 'a\0b', email: 'nul@example.test', password: 'long enough' }, 'name'],
      ['update-user', { name: 'a\0b' }, 'name'],
      ['organization/create', { name: 'Sound', slug: 'a\0b' }, 'slug'],
    ];
    for (const [path, body, field] of asked) {
      const response = await auth(path, body, { origin: ORIGIN, ...cookie });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ message: `${field}: expected no NUL character` });
    }
  });

  it('refuses names that are shown as others, and takes emoji and joiners', async () => {
    const { cookie } = await signUp(test, 'Plain');
    const credentials = { origin: ORIGIN, ...cookie };
    for (const name of ['evil\u202Egnp', 'a\u2066b', 'two\nlines', 'bell\u0007', 'a\u2028b']) {
      const asked: [string, object][] = [
        ['update-user', { name }],
        ['organization/create', { name }],
        ['organization/update', { data: { name } }],
        ['sign-up/email', { name, email: 'mark@example.test', password: 'long enough' }],
        ['sign-up/email', { name: 'A', email: 'mark@example.test', password: 'long enough', tenantName: name }],
      ];
      for (const [path, body] of asked) {
        const response = await auth(path, body, credentials);
        expect([response.status, JSON.stringify(await response.json())], `${path} ${JSON.stringify(body)}`).toEqual([400, expect.stringContaining('expected one line without control characters')]);
      }
      for (const [field, rest] of [['createApiKey', ''], ['createAdapter', ', slug: "odd", baseModelId: "x", files: []'], ['createDeployment', ', slug: "odd", baseModelId: "x", variants: []']]) {
        const { errors } = await graphql(test, cookie, `mutation ($name: String!) { ${field}(input: { name: $name${rest} }) { __typename } }`, { name });
        expect(errors?.[0], `${field} ${JSON.stringify(name)}`).toMatchObject({ message: expect.stringContaining('name: expected one line'), extensions: { field: 'name' } });
      }
    }
    for (const name of ['Ada 👩‍💻 Lovelace', 'می‌خواهم', 'Zoë Ñandú', '🏴󠁧󠁢󠁥󠁮󠁧󠁿 team']) {
      expect((await auth('update-user', { name }, credentials)).status, name).toBe(200);
      expect((await auth('organization/update', { data: { name } }, credentials)).status, name).toBe(200);
    }
  });

  it('refuses an e-mail address that is taken', async () => {
    const { email } = await signUp(test);
    const again = await auth('sign-up/email', { name: 'A', email, password: 'another password', tenantName: 'T' });
    expect(again.status).toBe(422);
  });

  it('signs in with the right password only, and out', async () => {
    const user = await signUp(test);
    expect((await auth('sign-in/email', { email: user.email, password: 'wrong password' })).status).toBe(401);
    const response = await auth('sign-in/email', { email: user.email, password: user.password });
    const cookie = { cookie: cookieOf(response) };
    expect(response.headers.getSetCookie().join()).toMatch(/HttpOnly/i);
    expect((await tenantOf(cookie)).name).toBe(user.tenantName);
    expect((await auth('sign-out', {}, { origin: ORIGIN, ...cookie })).status).toBe(200);
    expect((await graphql(test, cookie, TENANT)).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
  });

  it('believes cookies from the portal only, also for signing in', async () => {
    const user = await signUp(test);
    const { errors } = await graphql(test, { ...user.cookie, origin: 'https://evil.example' }, TENANT);
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN', field: 'origin' });
    expect((await graphql(test, { ...user.cookie, origin: ORIGIN }, TENANT)).errors).toBeUndefined();
    const foreign = await auth('sign-in/email', { email: user.email, password: user.password }, { origin: 'https://evil.example', ...user.cookie });
    expect(foreign.status).toBe(403);
  });

  it('answers queries by forms, and mutations by GET, with a refusal', async () => {
    const user = await signUp(test);
    const form = await fetch(`${test.url}/graphql`, {
      method: 'POST',
      headers: { ...user.cookie, 'content-type': 'text/plain' },
      body: JSON.stringify({ query: TENANT }),
    });
    expect(form.status).toBeGreaterThanOrEqual(400);
    const mutation = encodeURIComponent('mutation { createApiKey(input: { name: "x" }) { secret } }');
    const get = await fetch(`${test.url}/graphql?query=${mutation}`, { headers: { ...user.cookie, 'apollo-require-preflight': '1' } });
    expect(get.status).toBe(405);
  });

  it('viewer is null for API keys, and UNAUTHENTICATED without credentials', async () => {
    const { key } = await createTenant(test);
    expect(await data(graphql(test, key, '{ viewer { id } }'))).toEqual({ viewer: null });
    for (const query of ['{ viewer { id } }', TENANT]) {
      expect((await graphql(test, {}, query)).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
    }
  });

  it('shows a tenant its own members only', async () => {
    const [one, two] = [await createTenant(test), await createTenant(test)];
    const emails = (await tenantOf(one.key)).members.map((member) => member.user.email);
    expect(emails).toEqual([one.user.email]);
    expect(emails).not.toContain(two.user.email);
  });

  it('cannot enter a tenant by naming it', async () => {
    const [victim, attacker] = [await createTenant(test), await signUp(test)];
    const response = await auth('organization/set-active', { organizationId: victim.id }, { origin: ORIGIN, ...attacker.cookie });
    expect(response.status).toBe(403);
    expect((await tenantOf(attacker.cookie)).name).toBe(attacker.tenantName);
  });

  it('limits attempts to sign in', async () => {
    const strict = await startApp({ AUTH_ATTEMPTS_MAX: '3' });
    try {
      const attempt = (): Promise<Response> =>
        fetch(`${strict.url}/api/auth/sign-in/email`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', origin: ORIGIN, 'x-aril-client-address': `10.0.0.${Math.floor(Math.random() * 250)}` },
          body: JSON.stringify({ email: 'nobody@example.test', password: 'wrong password' }),
        });
      const statuses = [];
      for (let i = 0; i < 5; i++) statuses.push((await attempt()).status);
      expect(statuses).toEqual([401, 401, 401, 429, 429]);
    } finally {
      await strict.stop();
    }
  });
});
