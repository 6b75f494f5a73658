import { AnswerReader, type AnswerPiece } from '../tools/answer-reader.js';
import type { OfferedTools } from '../tools/offered-tools.js';
import { ThoughtReader, type PieceReader } from './thought-reader.js';

/** All text is text where nothing can be called. */
const TEXT: PieceReader = {
  push: (text): AnswerPiece[] => (text === '' ? [] : [{ kind: 'text', text }]),
  end: () => [],
};

/** Of answers in a chat: thoughts, texts and calls. */
export const readerOf = (tools: OfferedTools | null): ThoughtReader => new ThoughtReader(tools ? new AnswerReader(tools) : TEXT);
