/** A hub's token as it waits for its import: encrypted, so that neither a copy of the database nor one of Redis has it. */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

const keyOf = (authSecret: string): Buffer => Buffer.from(hkdfSync('sha256', authSecret, 'aril', 'adapter-import-token', 32));

/** Nonce, tag and text. It opens for the same adapter only. */
export function sealToken(authSecret: string, adapterId: string, token: string): Uint8Array<ArrayBuffer> {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, keyOf(authSecret), nonce).setAAD(Buffer.from(adapterId));
  const text = Buffer.concat([cipher.update(token, 'utf8'), cipher.final()]);
  return Uint8Array.from(Buffer.concat([nonce, cipher.getAuthTag(), text]));
}

/** null: it was sealed under another AUTH_SECRET. */
export function openToken(authSecret: string, adapterId: string, sealed: Uint8Array): string | null {
  const [nonce, tag, text] = [sealed.subarray(0, NONCE_BYTES), sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES), sealed.subarray(NONCE_BYTES + TAG_BYTES)];
  try {
    const cipher = createDecipheriv(CIPHER, keyOf(authSecret), nonce).setAAD(Buffer.from(adapterId)).setAuthTag(tag);
    return Buffer.concat([cipher.update(text), cipher.final()]).toString('utf8');
  } catch {
    return null;
  }
}
