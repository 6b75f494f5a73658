/**
 * One call while its text arrives: `{"name": "f", "arguments": {…}}`, or `parameters` as Llama writes it. Arguments are
 * passed on as they come; in any other order of keys, once the whole object is there.
 */
import { isShallow } from '@aril/contracts';
import { parseJson } from '../../../base/parse-json.js';
import { JsonValueScanner } from './json-value-scanner.js';

const STRING = String.raw`"[^"\\]*(?:\\.[^"\\]*)*"`;
/** All up to the arguments' brace. */
const HEAD = new RegExp(String.raw`^\{\s*"name"\s*:\s*(${STRING})\s*,\s*"(?:arguments|parameters)"\s*:\s*(?=\{)`, 's');
const FIRST_KEY = new RegExp(String.raw`^\{\s*(${STRING})\s*:`, 's');
const NAMED = new RegExp(String.raw`^\{\s*"name"\s*:\s*(${STRING})`, 's');
/** How a call begins that the engine's constraint knows wherever it stands. */
const CONSTRAINED = new RegExp(String.raw`^\{(?: {0,2}|\n {2}|\n {4})"name": ?(${STRING})`);
/** After the brace a name, if anything. */
const NO_OBJECT_OF_NAMES = /^\{\s*[^"\s]/;
/** Within this there is a name, as long as one may be, with room for spaces. */
const NAME_LENGTH_MAX = 256;
const KEYS: readonly string[] = ['name', 'arguments', 'parameters', 'function', 'type', 'id'];

export type CallPiece = { kind: 'call'; name: string } | { kind: 'arguments'; text: string };

/** `more`: the call goes on. `done`: it has ended, and `rest` follows it. `none`: it is no call; all of it is `rest`. */
export interface CallStep {
  state: 'more' | 'done' | 'none';
  pieces: CallPiece[];
  rest: string;
}

export class CallReader {
  /** What no piece tells of yet. */
  private held = '';
  /** Whether all that is left to see is its end. */
  private isJudged = false;
  private part: 'head' | 'arguments' | 'tail' = 'head';
  private readonly whole = new JsonValueScanner();
  private scanner = this.whole;

  /** `names`: the functions there are; an object that names another is no call. `isStrict`: nor one in a form that no constraint knows. */
  constructor(
    private readonly names: ReadonlySet<string>,
    private readonly isStrict = false,
  ) {}

  /** The first text begins with the object's brace. */
  push(text: string): CallStep {
    if (this.part === 'head') return this.readHead(text);
    return this.part === 'arguments' ? this.readArguments(text) : this.readTail(text);
  }

  /** Nothing: what follows its name it tells as it comes. */
  end(): CallPiece[] {
    return [];
  }

  /** What is left of a call that was cut before it was known to be one. */
  get unread(): string {
    return this.held;
  }

  private readHead(text: string): CallStep {
    const before = this.held.length;
    this.held += text;
    const isOther = this.isJudged || (this.isStrict && !CONSTRAINED.test(this.held));
    const head = isOther ? null : HEAD.exec(this.held);
    const name = head && textOf(head[1]);
    if (head && typeof name === 'string' && this.names.has(name)) {
      this.part = 'arguments';
      this.scanner = new JsonValueScanner();
      const rest = this.held.slice(head[0].length);
      this.held = '';
      return preceded({ kind: 'call', name }, this.readArguments(rest));
    }
    if (!this.isJudged && !this.canBeCall()) return this.noCall();
    const end = this.whole.endIn(text);
    return end === null ? { state: 'more', pieces: [], rest: '' } : this.readWhole(before + end);
  }

  private readArguments(text: string): CallStep {
    const end = this.scanner.endIn(text);
    const pieces: CallPiece[] = text === '' ? [] : [{ kind: 'arguments', text: text.slice(0, end ?? text.length) }];
    if (end === null) return { state: 'more', pieces, rest: '' };
    this.part = 'tail';
    this.scanner = new JsonValueScanner(1);
    const tail = this.readTail(text.slice(end));
    return { ...tail, pieces };
  }

  /** To the brace that closes the call. */
  private readTail(text: string): CallStep {
    const end = this.scanner.endIn(text);
    return end === null ? { state: 'more', pieces: [], rest: '' } : { state: 'done', pieces: [], rest: text.slice(end) };
  }

  private readWhole(end: number): CallStep {
    const call = callOf(parseJson(this.held.slice(0, end)), this.names);
    if (!call) return this.noCall();
    const rest = this.held.slice(end);
    this.held = '';
    return { state: 'done', pieces: [{ kind: 'call', name: call.name }, { kind: 'arguments', text: call.arguments }], rest };
  }

  private noCall(): CallStep {
    const rest = this.held;
    this.held = '';
    return { state: 'none', pieces: [], rest };
  }

  /** As early as it shows, because an answer in JSON is held back until then. */
  private canBeCall(): boolean {
    if (NO_OBJECT_OF_NAMES.test(this.held)) return false;
    const key = textOf(FIRST_KEY.exec(this.held)?.[1]);
    if (key === undefined) return this.held.length <= NAME_LENGTH_MAX;
    if (key !== 'name') return !this.isStrict && (this.isJudged = KEYS.includes(String(key)));
    if (this.isStrict && NAMED.test(this.held) && !CONSTRAINED.test(this.held)) return false;
    const name = textOf(NAMED.exec(this.held)?.[1]);
    return name === undefined ? this.held.length <= NAME_LENGTH_MAX : this.names.has(String(name));
  }
}

/** Arguments as JSON, as they arrive. `rest`: what follows them, null: they go on. */
export interface ArgumentsSource {
  push(text: string): { json: string; rest: string | null };
  /** What it makes of what it holds when nothing follows; absent: nothing. */
  end?(): string;
}

export class JsonArguments implements ArgumentsSource {
  private readonly scanner = new JsonValueScanner();

  push(text: string): { json: string; rest: string | null } {
    const end = this.scanner.endIn(text);
    return end === null ? { json: text, rest: null } : { json: text.slice(0, end), rest: text.slice(end) };
  }
}

/** The arguments of a call whose name stood before them. */
export class ArgumentsReader {
  private isNamed = false;

  constructor(
    private readonly name: string,
    private readonly source: ArgumentsSource = new JsonArguments(),
  ) {}

  push(text: string): CallStep {
    const { json, rest } = this.source.push(text);
    const named: CallPiece[] = this.isNamed ? [] : [{ kind: 'call', name: this.name }];
    this.isNamed = true;
    const pieces = [...named, ...argumentsPieces(json)];
    return rest === null ? { state: 'more', pieces, rest: '' } : { state: 'done', pieces, rest };
  }

  end(): CallPiece[] {
    return argumentsPieces(this.source.end?.() ?? '');
  }

  /** Nothing: it is known to be a call. */
  readonly unread = '';
}

const argumentsPieces = (text: string): CallPiece[] => (text === '' ? [] : [{ kind: 'arguments', text }]);

const textOf = (json: string | undefined): unknown => (json === undefined ? undefined : parseJson(json));

const preceded = (piece: CallPiece, step: CallStep): CallStep => ({ ...step, pieces: [piece, ...step.pieces] });

/** `{"type": "function", "function": {…}}` too, as OpenAI itself writes calls; arguments can be JSON in a string. */
function callOf(value: unknown, names: ReadonlySet<string>): { name: string; arguments: string } | null {
  if (value === null || typeof value !== 'object' || !isShallow(value)) return null;
  const get = (of: object, key: string): unknown => (Object.hasOwn(of, key) ? Reflect.get(of, key) : undefined);
  const inner = get(value, 'function');
  const call = inner !== null && typeof inner === 'object' ? inner : value;
  const name = get(call, 'name');
  const given = get(call, 'arguments') ?? get(call, 'parameters') ?? {};
  if (typeof name !== 'string' || !names.has(name)) return null;
  return { name, arguments: typeof given === 'string' ? given : JSON.stringify(given) };
}
