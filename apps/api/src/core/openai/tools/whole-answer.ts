/** An answer that is there at once. */
import { piecesOf } from '../reasoning/piece-reader.js';
import type { OfferedTools } from './offered-tools.js';

export interface Answer {
  /** null: nothing but calls or a thought. */
  content: string | null;
  reasoning: string;
  calls: { name: string; arguments: string }[];
}

/** `reasoningTokens`: of the answer. */
export function readAnswer(text: string, offered: OfferedTools | null, reasoningTokens = 0): Answer {
  const calls: Answer['calls'] = [];
  let content = '';
  let reasoning = '';
  for (const piece of piecesOf(text, offered, reasoningTokens)) {
    if (piece.kind === 'text') content += piece.text;
    else if (piece.kind === 'reasoning') reasoning += piece.text;
    else if (piece.kind === 'call') calls.push({ name: piece.name, arguments: '' });
    else calls[piece.index]!.arguments += piece.text;
  }
  const isOther = reasoning !== '' || calls.length > 0 || (offered !== null && offered.duty !== 'auto');
  return { content: content === '' && isOther ? null : content, reasoning, calls };
}
