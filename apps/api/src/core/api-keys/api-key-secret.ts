/** What an API key looks like and how it is kept. */
import { createHmac, hkdfSync, randomBytes } from 'node:crypto';

const MARK = 'aril_';
/** 192 random bits: 32 characters of base64url. */
const RANDOM_BYTES = 24;
const FORM = /^aril_[\w-]{32}$/;
/** Enough to tell keys apart, far too little to guess the rest. */
const PREFIX_CHARACTERS = MARK.length + 6;

export interface NewSecret {
  secret: string;
  prefix: string;
}

export function newSecret(): NewSecret {
  const secret = MARK + randomBytes(RANDOM_BYTES).toString('base64url');
  return { secret, prefix: secret.slice(0, PREFIX_CHARACTERS) };
}

export const looksLikeSecret = (text: string): boolean => FORM.test(text);

/**
 * HMAC-SHA256 under a pepper of its own, derived from the deployment's secret: a stolen table alone cannot even test a guess.
 * No slow hash is needed, because the secret is random and long.
 */
export function secretHasher(deploymentSecret: string): (secret: string) => string {
  const pepper = Buffer.from(hkdfSync('sha256', deploymentSecret, 'aril', 'api-key-pepper', 32));
  return (secret) => createHmac('sha256', pepper).update(secret).digest('hex');
}
