import { EngineError, type TokenFloor } from '@aril/sgmv-native';

/** Refuses a text that cannot fit the context, before it is tokenized; of one that may fit the engine counts the tokens. */
export function refuseTooLong(text: string, floor: TokenFloor, positions: number): void {
  // No text has more tokens than weights of bytes, so most need no look at their bytes.
  if (text.length * BYTES_PER_UNIT_MAX < positions) return;
  const tokens = floor.of(text);
  if (tokens < positions) return;
  const found = `${Buffer.byteLength(text)} bytes, which are at least ${tokens} tokens`;
  const why = `because the model's context is ${positions} positions`;
  throw new EngineError('context_too_long', `prompt: found ${found}; expected at most ${positions - 1}, ${why}.`);
}

/** UTF-8 of one UTF-16 unit: those of four bytes have two units. */
const BYTES_PER_UNIT_MAX = 3;
