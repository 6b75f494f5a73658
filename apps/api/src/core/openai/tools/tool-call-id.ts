import { createHash } from 'node:crypto';

const CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
/** Mistral's templates refuse ids of another length, and of other characters; nobody else minds. */
const LENGTH = 9;

/** The same whenever the same answer is told, so that a repeated request finds its calls under their ids. */
export function toolCallId(generationId: string, choice: number, index: number): string {
  const hash = createHash('sha256').update(`${generationId}/${choice}/${index}`).digest();
  return Array.from(hash.subarray(0, LENGTH), (byte) => CHARACTERS.charAt(byte % CHARACTERS.length)).join('');
}
