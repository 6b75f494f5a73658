/** Calls of an answer in channels: messages to a function, which are its arguments as they are. */
import type { PieceReader } from '../../generations/thoughts/pieces.js';
import type { AnswerPiece, Offered } from './answer-reader.js';

export class AddressedCalls {
  private count = 0;
  private readonly names: ReadonlySet<string>;

  constructor(private readonly offered: Pick<Offered, 'tools' | 'parallel'>) {
    this.names = new Set(offered.tools.map(({ name }) => name));
  }

  /** null: no function that the caller has offered is called so. */
  readerOf(name: string): PieceReader<AnswerPiece> | null {
    if (!this.names.has(name)) return null;
    if (this.count > 0 && !this.offered.parallel) return NOTHING;
    return new AddressedCall(name, this.count++);
  }
}

/** What follows the one call there may be. */
const NOTHING: PieceReader<AnswerPiece> = { push: () => [], end: () => [] };

class AddressedCall implements PieceReader<AnswerPiece> {
  private isTold = false;
  private hasArguments = false;
  /** Spaces, which are the arguments' if something follows. */
  private held = '';

  constructor(
    private readonly name: string,
    private readonly index: number,
  ) {}

  push(text: string): AnswerPiece[] {
    const told = this.begin();
    const given = this.held + text;
    const trimmed = given.trimEnd();
    this.held = given.slice(trimmed.length);
    if (trimmed !== '') this.hasArguments = true;
    return trimmed === '' ? told : [...told, { kind: 'arguments', text: trimmed, index: this.index }];
  }

  /** Clients read arguments as JSON. */
  end(): AnswerPiece[] {
    return this.hasArguments ? [] : this.push('{}');
  }

  private begin(): AnswerPiece[] {
    if (this.isTold) return [];
    this.isTold = true;
    return [{ kind: 'call', name: this.name, index: this.index }];
  }
}
