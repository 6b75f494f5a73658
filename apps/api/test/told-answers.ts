/** What a client puts together from an answer, however that is cut into pieces. */
import { expect } from 'vitest';
import { readerOf } from '../src/core/openai/reasoning/piece-reader.js';
import type { OfferedTools } from '../src/core/openai/tools/offered-tools.js';
import { readAnswer, type Answer } from '../src/core/openai/tools/whole-answer.js';

type Told = Omit<Answer, 'content'> & { content: string };

export function tellingOf(offered: OfferedTools): { told: (parts: readonly string[]) => Told; collected: (text: string, size: number) => Told; expectToldAsWhole: (text: string, answer: Partial<Answer>) => void } {
  const told = (parts: readonly string[]): Told => {
    const reader = readerOf(offered);
    const all: Told = { content: '', reasoning: '', calls: [] };
    for (const piece of [...parts.flatMap((part) => reader.push(part, 1)), ...reader.end()]) {
      if (piece.kind === 'text') all.content += piece.text;
      else if (piece.kind === 'reasoning') all.reasoning += piece.text;
      else if (piece.kind === 'call') all.calls[piece.index] = { name: piece.name, arguments: '' };
      else all.calls[piece.index]!.arguments += piece.text;
    }
    return all;
  };
  const collected = (text: string, size: number): Told => told(Array.from({ length: Math.ceil(text.length / size) }, (_, at) => text.slice(at * size, (at + 1) * size)));
  /** Whole, in pieces of any length, and cut in two anywhere. */
  const expectToldAsWhole = (text: string, answer: Partial<Answer>): void => {
    const expected = { content: answer.reasoning || answer.calls ? null : '', reasoning: '', calls: [], ...answer };
    expect(readAnswer(text, offered, 1)).toEqual(expected);
    const parts = { ...expected, content: expected.content ?? '' };
    for (let size = 1; size <= 9; size++) expect(collected(text, size), `pieces of ${size}`).toEqual(parts);
    for (let at = 1; at < text.length; at++) expect(told([text.slice(0, at), text.slice(at)]), `cut at ${at}`).toEqual(parts);
  };
  return { told, collected, expectToldAsWhole };
}
