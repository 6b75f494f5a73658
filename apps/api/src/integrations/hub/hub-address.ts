/**
 * Where the API may be sent by a hub's redirects. Names are judged by the addresses they have at the moment of connecting,
 * so that a name which changes its address between a look at it and its use gains nothing.
 */
import { lookup as resolve } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { HubError, unreachable } from './hub-error.js';

/** Not of this machine, its network or a cloud's own services, nor what stands for those in IPv6. */
export const isPublicAddress = (address: string): boolean => ipaddr.isValid(address) && ipaddr.process(address).range() === 'unicast';

const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '');

const refused = (host: string): HubError => new HubError('hub_address_refused', `a redirect to ${host}, a private address`, 'a public one');

/** A hub that the operator has put there is asked wherever it is, and may redirect to its neighbours. */
export async function isPrivateHub(url: URL): Promise<boolean> {
  const host = hostOf(url);
  if (isIP(host)) return !isPublicAddress(host);
  try {
    return (await lookup(host, { all: true })).some(({ address }) => !isPublicAddress(address));
  } catch {
    throw unreachable(`no address of ${host}`);
  }
}

/** For hosts that are addresses themselves, which nobody looks up. */
export function requirePublicHost(url: URL): void {
  const host = hostOf(url);
  if (isIP(host) && !isPublicAddress(host)) throw refused(host);
}

/** `dns.lookup` that knows public addresses only. */
export const lookupPublic: LookupFunction = (hostname, options, callback) => {
  resolve(hostname, { ...options, all: true }, (error, addresses) => {
    const bad = !error && addresses.some(({ address }) => !isPublicAddress(address));
    if (error || bad) callback(bad ? refused(hostname) : error, '');
    else if (options.all) callback(null, addresses);
    else callback(null, addresses[0]?.address ?? '', addresses[0]?.family);
  });
};
