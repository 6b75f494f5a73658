import { AnswerReader, type AnswerPiece } from '../tools/answer-reader.js';
import type { OfferedTools } from '../tools/offered-tools.js';

export type PieceReader = Pick<AnswerReader, 'push' | 'end'>;

/** All text is text where nothing can be called. */
const TEXT: PieceReader = {
  push: (text): AnswerPiece[] => (text === '' ? [] : [{ kind: 'text', text }]),
  end: () => [],
};

export const readerOf = (tools: OfferedTools | null): PieceReader => (tools ? new AnswerReader(tools) : TEXT);
