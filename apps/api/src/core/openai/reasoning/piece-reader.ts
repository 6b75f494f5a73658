import { TEXT } from '../../generations/thoughts/pieces.js';
import { ThoughtReader } from '../../generations/thoughts/thought-reader.js';
import { AnswerReader, type AnswerPiece } from '../tools/answer-reader.js';
import { AddressedCalls } from '../tools/addressed-calls.js';
import type { OfferedTools } from '../tools/offered-tools.js';

export type PieceReader = ThoughtReader<AnswerPiece>;

/** Of answers in a chat: thoughts, texts and calls. Where nothing can be called, all but thoughts is text. */
export function readerOf(tools: OfferedTools | null): PieceReader {
  if (!tools) return new ThoughtReader<AnswerPiece>(TEXT, TEXT, () => null);
  const calls = new AddressedCalls(tools);
  return new ThoughtReader<AnswerPiece>(new AnswerReader(tools), TEXT, (name) => calls.readerOf(name));
}

/** Of an answer that is there at once. `reasoningTokens`: of it. */
export function piecesOf(text: string, tools: OfferedTools | null, reasoningTokens = 0): ReturnType<PieceReader['push']> {
  const reader = readerOf(tools);
  return [...reader.push(text, reasoningTokens), ...reader.end()];
}
