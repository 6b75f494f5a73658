import type { GenerationEvent } from '@aril/contracts';

/** What callers have seen of a generation so far, whoever wrote it. */
export class Emitted {
  tokens: number[] = [];
  text = '';
  lastSeq = 0;
  ended = false;

  static from(events: GenerationEvent[]): Emitted {
    const emitted = new Emitted();
    for (const event of events) {
      emitted.lastSeq = event.seq;
      emitted.text += event.text;
      if (event.type === 'tokens') emitted.tokens.push(...event.tokens);
      else emitted.ended = true;
    }
    return emitted;
  }

  add(tokens: number[], text: string): void {
    this.tokens.push(...tokens);
    this.text += text;
  }
}
