import { TEXT, ThoughtReader } from '../../generations/thoughts/thought-reader.js';
import { AnswerReader, type AnswerPiece } from '../tools/answer-reader.js';
import type { OfferedTools } from '../tools/offered-tools.js';

export type PieceReader = ThoughtReader<AnswerPiece>;

/** Of answers in a chat: thoughts, texts and calls. Where nothing can be called, all that follows the thought is text. */
export const readerOf = (tools: OfferedTools | null): PieceReader => new ThoughtReader<AnswerPiece>(tools ? new AnswerReader(tools) : TEXT);
