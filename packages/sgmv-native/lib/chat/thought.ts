/** Thoughts, `<think>…</think>`, with which the answers of some models begin. */
import type { ThoughtPlace } from '../types.js';
import { CHANNEL_NAME, THOUGHT_BEGIN, THOUGHT_END } from './marks.js';

/** Where a model that has thoughts may write one after a prompt that ends in this text; null: it has been told not to. */
export function thoughtAfter(promptEnd: string): ThoughtPlace | null {
  const end = promptEnd.trimEnd();
  if (end.endsWith(THOUGHT_BEGIN) || end.endsWith(THOUGHT_BEGIN + CHANNEL_NAME)) return 'open';
  return end.endsWith(THOUGHT_END) ? null : 'possible';
}

/** Tells of the tokens of one completion which are its thought's, the marks included. */
export class ThoughtMeter {
  private where: 'before' | 'inside' | 'after';
  /** As Latin-1, so that a character may come in parts: all of it before the thought, within as much as its end mark may begin in. */
  private text = '';
  /** Spaces in front, which are the thought's if one follows. */
  private undecided = 0;

  constructor(
    place: ThoughtPlace,
    private readonly bytesOf: (token: number) => Uint8Array | null,
  ) {
    this.where = place === 'open' ? 'inside' : 'before';
  }

  /** How many more are known to be. */
  read(tokens: readonly number[]): number {
    return tokens.reduce((count, token) => count + this.readToken(token), 0);
  }

  private readToken(token: number): number {
    if (this.where === 'after') return 0;
    this.text += Buffer.from(this.bytesOf(token) ?? []).toString('latin1');
    if (this.where === 'before') return this.readBefore();
    if (this.text.includes(THOUGHT_END)) this.where = 'after';
    this.text = this.text.slice(1 - THOUGHT_END.length);
    return 1;
  }

  private readBefore(): number {
    const begun = this.text.trimStart();
    this.undecided += 1;
    if (begun.startsWith(THOUGHT_BEGIN)) this.where = begun.includes(THOUGHT_END) ? 'after' : 'inside';
    else if (THOUGHT_BEGIN.startsWith(begun)) return 0;
    else this.where = 'after';
    return begun.startsWith(THOUGHT_BEGIN) ? this.undecided : 0;
  }
}
