/** An answer that is there at once. */
import { AnswerReader, type Offered } from './answer-reader.js';

export interface Answer {
  /** null: nothing but calls. */
  content: string | null;
  calls: { name: string; arguments: string }[];
}

export function readAnswer(text: string, offered: Offered): Answer {
  const reader = new AnswerReader(offered);
  const calls: Answer['calls'] = [];
  let content = '';
  for (const piece of [...reader.push(text), ...reader.end()]) {
    if (piece.kind === 'text') content += piece.text;
    else if (piece.kind === 'call') calls.push({ name: piece.name, arguments: '' });
    else calls[piece.index]!.arguments += piece.text;
  }
  const isCall = calls.length > 0 || offered.duty !== 'auto';
  return { content: content === '' && isCall ? null : content, calls };
}
