/** Grammars and matchers of one grammar thread. */
import { EngineError } from '../engine-error.js';
import {
  sourceKey,
  SOURCES_MAX,
  type GrammarSource,
  type GrammarThreadData,
  type MaskCall,
  type MaskPlace,
} from './protocol.js';
import { FRAME } from './frames.js';
import { hasMarks, withoutMarks } from './number-bounds.js';
import {
  XGrammarInstance,
  type CompiledGrammar,
  type Grammar,
  type GrammarCompiler,
  type GrammarMatcher,
  type XGrammar,
} from './xgrammar.js';

/**
 * A mask takes less than a millisecond. Some automata (counted repeats inside of counted repeats) grow with every token,
 * and with them all other matchers of the thread would wait: such a source is given up at the first mask this slow.
 */
const MASK_MS_MAX = 1_000;

const regexTag = (pattern: string) => ({
  type: 'structural_tag' as const,
  format: { type: 'regex' as const, pattern },
});
/** On one line, with the spaces that `json.dumps` writes: whitespace without end is what small models fall into. */
const ONE_LINE = [false, -1] as const;

/** Everything of a source that can be refused without a vocabulary. */
async function parse(library: XGrammar, source: GrammarSource): Promise<Grammar> {
  const inner = await parseText(library, source);
  const { frame, kind, text } = source;
  const isMarked = kind === 'jsonSchema' && hasMarks(text);
  if (frame === undefined && !isMarked) return inner;
  const rules = isMarked ? withoutMarks(inner.toString()) : inner.toString();
  inner.dispose();
  return frame === undefined ? library.Grammar.fromEBNF(rules) : library.Grammar.fromEBNF(`${rules}\n${frame}\n`, FRAME);
}

function parseText({ Grammar }: XGrammar, { kind, text }: GrammarSource): Promise<Grammar> {
  switch (kind) {
    case 'jsonSchema':
      return Grammar.fromJSONSchema(text, ...ONE_LINE);
    case 'regex':
      return Grammar.fromStructuralTag(regexTag(text));
    case 'grammar':
      return Grammar.fromEBNF(text);
  }
}

async function compile(library: XGrammar, compiler: GrammarCompiler, source: GrammarSource): Promise<CompiledGrammar> {
  const grammar = await parse(library, source);
  const compiled = await compiler.compileGrammar(grammar);
  grammar.dispose();
  return compiled;
}

/** Bytes of each token as the library takes them; special tokens, and ids beyond the vocabulary, have none. */
function tokenBytes({ vocabulary, vocabSize }: GrammarThreadData): Uint8Array[] {
  const { bytes, ends } = vocabulary;
  return Array.from({ length: vocabSize }, (_, id) => bytes.subarray(ends[id - 1] ?? 0, ends[id] ?? 0));
}

interface Place {
  matcher: GrammarMatcher;
  /** Bytes to come that are forced and known to whoever asks. */
  forced: number;
}

export class GrammarHost {
  readonly #data: GrammarThreadData;
  readonly #grammars = new Map<string, CompiledGrammar>();
  readonly #matchers = new Map<string, Place>();
  readonly #instance = new XGrammarInstance();
  /** Sources are parsed here first: a refusal costs an instance, and this one has no matchers. */
  #parser = new XGrammarInstance();
  #compiler: Promise<GrammarCompiler> | undefined;

  constructor(data: GrammarThreadData) {
    this.#data = data;
  }

  /** Throws EngineError for what its caller did; any other error means that this host is broken. */
  async masks(call: MaskCall): Promise<MaskPlace[]> {
    const place = call.call === 'open' ? await this.#open(call.matcher, call.source) : this.#matchers.get(call.matcher);
    if (!place) throw new Error(`there is no matcher ${call.matcher}`);
    return this.#instance.run(async () => {
      if (call.call === 'open') replay(place.matcher, call.tokens);
      else for (const token of call.tokens) if (!this.#accept(place, token)) throw new Error(`it refused token ${token}`);
      const places = [await this.#look(place)];
      const { forced } = place;
      for (const token of call.draft) {
        if (!allows(places.at(-1)!.mask, token) || this.#data.endTokens.includes(token)) break;
        if (!this.#accept(place, token)) throw new Error(`it refused token ${token}, which it allowed`);
        places.push(await this.#look(place));
      }
      if (places.length > 1) place.matcher.rollBack(places.length - 1);
      place.forced = forced;
      return places;
    });
  }

  #accept(place: Place, token: number): boolean {
    const { ends } = this.#data.vocabulary;
    place.forced = Math.max(0, place.forced - ((ends[token] ?? 0) - (ends[token - 1] ?? 0)));
    return place.matcher.acceptToken(token);
  }

  async #look(place: Place): Promise<MaskPlace> {
    const { matcher } = place;
    // The library aborts when it is asked what follows an end token.
    if (matcher.isTerminated()) return { mask: new Uint32Array(Math.ceil(this.#data.vocabSize / 32)), forced: '' };
    const began = performance.now();
    const mask = await matcher.getNextTokenBitmask();
    // A forced text takes time for its length: it is asked for once. A code point of which a part is forced comes as �.
    const forced = place.forced > 0 ? '' : matcher.findJumpForwardString().replace(/\ufffd.*$/s, '');
    this.#checkTime(performance.now() - began);
    place.forced += Buffer.byteLength(forced);
    return { mask: new Uint32Array(mask.buffer as ArrayBuffer, mask.byteOffset, mask.length), forced };
  }

  #checkTime(ms: number): void {
    const most = this.#data.maskMsMax ?? MASK_MS_MAX;
    if (ms <= most) return;
    const found = `choosing what may follow took ${Math.ceil(ms)} ms for one token`;
    throw new EngineError('constraint_invalid', `${found}, more than ${most}: it has too many ways to match`);
  }

  close(name: string): void {
    this.#matchers.get(name)?.matcher.dispose();
    this.#matchers.delete(name);
  }

  async #open(name: string, source: GrammarSource): Promise<Place> {
    const grammar = await this.#grammar(source);
    const matcher = await this.#instance.run(({ GrammarMatcher }) =>
      GrammarMatcher.createGrammarMatcher(grammar),
    );
    const place = { matcher, forced: 0 };
    this.#matchers.set(name, place);
    return place;
  }

  async #grammar(source: GrammarSource): Promise<CompiledGrammar> {
    const key = sourceKey(source);
    const known = this.#grammars.get(key);
    if (known) {
      this.#grammars.delete(key);
      this.#grammars.set(key, known); // the most recently used comes last
      return known;
    }
    await this.#check(source);
    this.#compiler ??= this.#createCompiler();
    const compiler = await this.#compiler;
    const compiled = await this.#instance.run((library) => compile(library, compiler, source));
    this.#grammars.set(key, compiled);
    this.#forgetOldest();
    return compiled;
  }

  async #check(source: GrammarSource): Promise<void> {
    try {
      await this.#parser.run((library) => parse(library, source));
    } catch (error) {
      this.#parser = new XGrammarInstance();
      throw new EngineError('constraint_invalid', (error as Error).message);
    }
  }

  #createCompiler(): Promise<GrammarCompiler> {
    const { vocabSize, endTokens } = this.#data;
    return this.#instance.run(async ({ GrammarCompiler, TokenizerInfo }) => {
      // The library's types know strings only; it takes bytes as they are.
      const tokens = tokenBytes(this.#data) as unknown as string[];
      const info = await TokenizerInfo.createTokenizerInfo(tokens, 'raw', false, vocabSize, endTokens);
      return GrammarCompiler.createGrammarCompiler(info, false);
    });
  }

  /** Matchers share what they need of a grammar, so it may go before them. */
  #forgetOldest(): void {
    for (const [key, grammar] of this.#grammars) {
      if (this.#grammars.size <= SOURCES_MAX) return;
      grammar.dispose();
      this.#grammars.delete(key);
    }
  }
}

const allows = (mask: Uint32Array, token: number): boolean => (((mask[token >> 5] ?? 0) >>> (token & 31)) & 1) === 1;

function replay(matcher: GrammarMatcher, tokens: number[]): void {
  for (const [index, token] of tokens.entries()) {
    if (!matcher.isTerminated() && matcher.acceptToken(token)) continue;
    throw new EngineError(
      'bad_argument',
      `resumeTokens[${index}]: found ${token}; expected a token that the constraint allows there.`,
    );
  }
}
