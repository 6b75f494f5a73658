import { ObjectKeyError } from './object-store.js';

/** S3 allows 1024 bytes; a folder allows 255 per segment. Holding both everywhere keeps the stores interchangeable. */
const KEY_BYTES_MAX = 1024;
const SEGMENT_BYTES_MAX = 240;

/**
 * Keys are checked here and nowhere else, for both stores: a key that could leave the folder must not be
 * accepted by S3 either, or moving an installation from one store to the other would change what is valid.
 * The character set is narrow on purpose: it needs no escaping in paths, URLs or shells.
 */
export function checkKey(key: string): void {
  if (typeof key !== 'string' || key === '') throw new ObjectKeyError(String(key), 'found nothing, expected a key');
  if (Buffer.byteLength(key) > KEY_BYTES_MAX) {
    throw new ObjectKeyError(`${key.slice(0, 40)}…`, `found ${Buffer.byteLength(key)} bytes, expected at most ${KEY_BYTES_MAX}`);
  }
  for (const segment of key.split('/')) checkSegment(key, segment);
}

/** A prefix is a key with a closing slash, so that deleting `a/` never touches `ab/`. */
export function checkPrefix(prefix: string): void {
  if (!prefix.endsWith('/')) throw new ObjectKeyError(prefix, 'expected a prefix that ends with a slash');
  checkKey(prefix.slice(0, -1));
}

function checkSegment(key: string, segment: string): void {
  if (segment === '') {
    throw new ObjectKeyError(key, 'found an empty segment, expected segments separated by single slashes, none leading or trailing');
  }
  if (/^\.+$/.test(segment)) throw new ObjectKeyError(key, `found the segment ${segment}, expected no relative segments`);
  if (segment.length > SEGMENT_BYTES_MAX) {
    throw new ObjectKeyError(key, `found a segment of ${segment.length} characters, expected at most ${SEGMENT_BYTES_MAX}`);
  }
  if (!/^[A-Za-z0-9._=@+-]+$/.test(segment)) {
    throw new ObjectKeyError(key, `found the segment ${JSON.stringify(segment)}, expected only letters, digits and . _ - = @ +`);
  }
}
