/** An answer's thought and what the model said after it, of whole answers and of events. */
import type { GenerationEvent } from '@aril/contracts';
import { TEXT, type ReasoningPiece, type TextPiece } from './pieces.js';
import { ThoughtReader } from './thought-reader.js';

export interface AnswerParts {
  text: string;
  /** "": no thought. */
  reasoning: string;
}

type Piece = TextPiece | ReasoningPiece;
/** Nothing is called here: what is said to a function is text. */
const newReader = (): ThoughtReader<Piece> => new ThoughtReader<Piece>(TEXT, TEXT, () => null);

type AnswerEvent = Exclude<GenerationEvent, { type: 'prompt' }>;

/** `reasoningTokens`: of the answer. At 0, what looks like a mark is text. */
export function partsOf(text: string, reasoningTokens: number): AnswerParts {
  const reader = newReader();
  return joined([...reader.push(text, reasoningTokens), ...reader.end()]);
}

/**
 * What each event of a generation adds to the parts of its choice. All events must be read from the first on: whether a
 * text is a thought's is known only from what is before it.
 */
export class EventParts {
  /** By choice. */
  private readonly readers = new Map<number, ThoughtReader<Piece>>();
  private toldTokens = 0;

  read(event: AnswerEvent): AnswerParts {
    const reader = this.readers.get(event.choice) ?? newReader();
    this.readers.set(event.choice, reader);
    // The end counts all choices: what no event before has told is its own choice's.
    const reasoningTokens = (event.reasoningTokens ?? 0) - (event.type === 'end' ? this.toldTokens : 0);
    this.toldTokens += reasoningTokens;
    const pieces = reader.push(event.text, reasoningTokens);
    if (event.type === 'tokens') return joined(pieces);
    // The end may name a choice that has ended before.
    this.readers.delete(event.choice);
    return joined([...pieces, ...reader.end()]);
  }
}

function joined(pieces: readonly Piece[]): AnswerParts {
  const of = (wanted: Piece['kind']): string => pieces.map(({ kind, text }) => (kind === wanted ? text : '')).join('');
  return { text: of('text'), reasoning: of('reasoning') };
}
