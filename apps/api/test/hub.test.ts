/** Where a hub may send the API, and where not. */
import { freePort } from '@aril/local-services';
import { LocalHub } from '@aril/local-services/local-hub';
import { Agent } from 'undici';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { isPrivateHub, isPublicAddress, lookupPublic } from '../src/integrations/hub/hub-address.js';
import { fetchFromHub, type Reach } from '../src/integrations/hub/hub-fetch.js';

describe('addresses', () => {
  it.each(['8.8.8.8', '2606:4700::1111'])('%s is public', (address) => expect(isPublicAddress(address)).toBe(true));
  it.each([
    ...['127.0.0.1', '10.1.2.3', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '255.255.255.255', '224.0.0.1'],
    ...['::1', '::', 'fe80::1', 'fd00::1', '::ffff:127.0.0.1', '::ffff:10.0.0.1', '64:ff9b::7f00:1', '2002:7f00:1::', 'no address'],
  ])('%s is not', (address) => expect(isPublicAddress(address)).toBe(false));

  it('a hub is at a private one by its address or by its name', async () => {
    expect(await isPrivateHub(new URL('http://10.0.0.1:8080'))).toBe(true);
    expect(await isPrivateHub(new URL('http://[::1]'))).toBe(true);
    expect(await isPrivateHub(new URL('http://localhost'))).toBe(true);
    expect(await isPrivateHub(new URL('https://8.8.8.8'))).toBe(false);
  });
});

describe('redirects', () => {
  let hub: LocalHub;
  const agents = [new Agent(), new Agent({ connect: { lookup: lookupPublic } })] as const;
  beforeAll(async () => void (hub = await LocalHub.start()));
  afterEach(() => void (hub.intercept = () => false));
  afterAll(async () => {
    await Promise.all(agents.map((agent) => agent.destroy()));
    await hub.stop();
  });

  /** As from a hub of the world, which the one here takes the place of: only what it redirects to is judged. */
  const reach = (anywhere: boolean): Reach => ({ hub: new URL(hub.url), token: 'hf_token', anywhere, dispatcher: agents[anywhere ? 0 : 1], signal: AbortSignal.timeout(30_000) });
  const redirecting = (...locations: string[]): void => {
    let next = 0;
    hub.intercept = (_request, response, server) => server === 'hub' && !!response.writeHead(302, { location: locations[Math.min(next++, locations.length - 1)] }).end();
  };

  it.each([
    ['http, where the world listens', () => 'http://example.com/', 'one to an https address'],
    ['another scheme', () => 'file:///etc/passwd', 'one to an https address'],
    ['a private address', () => 'https://10.0.0.1/', 'a public one'],
    ['the cloud it runs in', () => 'https://169.254.169.254/latest/meta-data', 'a public one'],
    ['this machine, in IPv6', () => 'https://[::1]/', 'a public one'],
    ['this machine, written otherwise', () => 'https://2130706433/', 'a public one'],
    ['a name of this machine', () => 'https://localhost:4433/', 'a public one'],
  ])('to %s are refused', async (_, location, expected) => {
    redirecting(location());
    await expect(fetchFromHub(reach(false), `${hub.url}/x`)).rejects.toMatchObject({ code: 'hub_address_refused', expected, passing: false });
  });

  it('to the hub itself are followed with the token, to others without it, and not for ever', async () => {
    hub.requests = [];
    redirecting('/elsewhere', `${hub.filesUrl}/file`);
    const { own } = await fetchFromHub(reach(true), `${hub.url}/x`, { headers: { authorization: 'Bearer from-elsewhere' } });
    expect(own).toBe(false);
    expect(hub.requests.map(({ server, path, authorization }) => [server, path, authorization])).toEqual([
      ['hub', '/x', 'Bearer hf_token'],
      ['hub', '/elsewhere', 'Bearer hf_token'],
      ['files', '/file', null],
    ]);
    redirecting('/round');
    await expect(fetchFromHub(reach(true), `${hub.url}/x`)).rejects.toMatchObject({ code: 'hub_answer_unknown' });
  });

  it('a hub that is not there is one to be asked again', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    await expect(fetchFromHub({ ...reach(true), hub: new URL(url) }, `${url}/x`)).rejects.toMatchObject({ code: 'hub_unreachable', passing: true });
  });
});
