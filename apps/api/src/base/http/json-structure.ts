/**
 * How much structure a JSON body may have. Reading text costs next to nothing, but eight megabytes of brackets or of names
 * take seconds to parse and gigabytes to hold, and meanwhile nobody else is answered.
 */
import { ArilError } from '@aril/contracts';

/** Lists, objects and fields together. 2,048 messages with parts and calls have a third of it. */
const STRUCTURE_MAX = 50_000;

const code = (character: string): number => character.charCodeAt(0);
const [QUOTE, ESCAPE] = [code('"'), code('\\')];
const COUNTED = new Uint8Array(256);
for (const character of '[{:') COUNTED[code(character)] = 1;

/** @throws ArilError PAYLOAD_TOO_LARGE; BAD_INPUT where the bytes are not those of UTF-8, of which JSON is (RFC 8259, 8.1) */
export function checkStructure(body: Buffer, encoding: string): void {
  if (!/^utf-?8$/i.test(encoding)) throw new ArilError('BAD_INPUT', `Content-Type: found the charset ${encoding}, expected utf-8`, 'content-type');
  if (body.length > STRUCTURE_MAX && structureOf(body) > STRUCTURE_MAX) {
    throw new ArilError('PAYLOAD_TOO_LARGE', `The body has too many lists, objects and fields: expected at most ${STRUCTURE_MAX} together.`);
  }
}

/** Up to a little more than the most. What is not JSON is counted somehow, and refused by the parser. */
function structureOf(body: Buffer): number {
  let count = 0;
  for (let at = 0; at < body.length && count <= STRUCTURE_MAX; at++) {
    if (body[at] === QUOTE) at = endOfString(body, at);
    else count += COUNTED[body[at]!]!;
  }
  return count;
}

function endOfString(body: Buffer, start: number): number {
  for (let at = start + 1; at < body.length; at++) {
    if (body[at] === ESCAPE) at++;
    else if (body[at] === QUOTE) return at;
  }
  return body.length;
}
