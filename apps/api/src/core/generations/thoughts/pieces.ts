/** What an answer is told in. */

export interface TextPiece {
  kind: 'text';
  text: string;
}
export interface ReasoningPiece {
  kind: 'reasoning';
  text: string;
}

/** Of a part of an answer, as it arrives. */
export interface PieceReader<Piece> {
  push(text: string): Piece[];
  end(): Piece[];
}

/** All of it is text. */
export const TEXT: PieceReader<TextPiece> = {
  push: (text) => (text === '' ? [] : [{ kind: 'text', text }]),
  end: () => [],
};
