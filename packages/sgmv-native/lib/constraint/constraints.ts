/**
 * The constrained requests of one engine. A matcher per choice lives in a grammar thread; what the engine emits goes there with
 * what its next step verifies, and the masks that come back go to the engine, while that step runs.
 */
import type { NativeEngine, NativeEvent } from '../native.js';
import { GrammarThread } from './grammar-thread.js';
import {
  sourceKey,
  SOURCES_MAX,
  type GrammarReply,
  type GrammarSource,
  type GrammarThreadData,
  type MaskCall,
} from './protocol.js';

/** A grammar that takes long to compile holds up the matchers of its own thread only. */
const THREADS_MAX = 4;

/** One choice of a request. */
interface Constrained {
  matcher: string;
  id: string;
  choice: number;
  source: GrammarSource;
  tokens: number[];
  thread: GrammarThread;
  /** The last completion index that the engine has a mask for; -1: none. */
  masked: number;
}

const matcherName = (id: string, choice: number): string => `${choice}/${id}`;

export class Constraints {
  readonly #threads: GrammarThread[] = [];
  readonly #choices = new Map<string, Constrained>();
  /** Sources that a thread died of, with the reason. */
  readonly #refused = new Map<string, string>();

  constructor(
    private readonly engine: Pick<NativeEngine, 'provideMask' | 'fail'>,
    private readonly data: GrammarThreadData,
  ) {}

  /** Begins to provide masks for a request that the engine has taken. `resumed`: tokens by choice. */
  start(id: string, choices: number, source: GrammarSource, resumed: Int32Array[]): void {
    const reason = this.#refused.get(sourceKey(source));
    if (reason) return this.engine.fail(id, 'constraint_invalid', refusal(source, reason));
    for (let choice = 0; choice < choices; choice++) {
      const matcher = matcherName(id, choice);
      const tokens = [...(resumed[choice] ?? [])];
      const one = { matcher, id, choice, source, tokens, thread: this.#threadFor(source), masked: -1 };
      this.#choices.set(matcher, one);
      open(one);
    }
  }

  /** What the engine emitted, before anyone else sees it. */
  observe(events: NativeEvent[]): void {
    if (this.#choices.size === 0) return;
    for (const event of events) if (event.type === 'end') this.#end(matcherName(event.id, event.choice));
    const news = new Map<Constrained, { tokens: number[]; draft: number[] }>();
    for (const event of events) {
      if (event.type !== 'tokens' && event.type !== 'draft') continue;
      const one = this.#choices.get(matcherName(event.id, event.choice));
      if (!one) continue;
      const { tokens, draft } = news.get(one) ?? { tokens: [], draft: [] };
      news.set(one, event.type === 'draft' ? { tokens, draft: event.tokens } : { tokens: [...tokens, ...event.tokens], draft });
    }
    for (const [one, { tokens, draft }] of news) {
      one.tokens.push(...tokens);
      one.thread.send({ call: 'accept', matcher: one.matcher, index: one.tokens.length, tokens, draft });
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.splice(0).map((thread) => thread.terminate()));
  }

  #end(matcher: string): void {
    this.#choices.get(matcher)?.thread.send({ call: 'close', matcher });
    this.#choices.delete(matcher);
  }

  /** Where the grammar is already; else a thread with nothing to do; else a new one; else the least busy. */
  #threadFor(source: GrammarSource): GrammarThread {
    const key = sourceKey(source);
    const known = this.#threads.find((thread) => thread.hasSource(key));
    const idle = known ?? this.#threads.find((thread) => thread.matchers === 0);
    if (idle) return idle;
    if (this.#threads.length < THREADS_MAX) {
      const thread = new GrammarThread(this.data, {
        onReply: (call, reply) => this.#take(call, reply),
        onDeath: (dead, call, reason) => this.#replace(dead, call, reason),
      });
      this.#threads.push(thread);
      return thread;
    }
    return this.#threads.reduce((least, thread) => (thread.matchers < least.matchers ? thread : least));
  }

  #take(call: MaskCall, reply: GrammarReply): void {
    const one = this.#choices.get(call.matcher);
    if (!one) return; // it has ended meanwhile
    if ('code' in reply) {
      if (reply.code === 'constraint_invalid') return this.#giveUp(one.source, reply.reason);
      return this.engine.fail(one.id, reply.code, reply.reason);
    }
    if (call.index <= one.masked) return; // asked again after a thread was replaced
    one.masked = call.index;
    // The next token's comes last: where it is there, those of the draft are.
    for (let count = reply.places.length - 1; count >= 0; count--) {
      const { mask, forced } = reply.places[count]!;
      this.engine.provideMask(one.id, one.choice, call.index + count, mask, Int32Array.from(call.draft.slice(0, count)), forced);
    }
  }

  /** A source that cannot be used is refused from then on, and to everyone who uses it. */
  #giveUp(source: GrammarSource, reason: string): void {
    const key = sourceKey(source);
    this.#refuse(key, reason);
    const users = [...this.#choices.values()].filter((one) => sourceKey(one.source) === key);
    for (const id of new Set(users.map((one) => one.id))) this.engine.fail(id, 'constraint_invalid', refusal(source, reason));
  }

  /** A thread is gone: the grammar it was at is at fault, the others go on in another thread. */
  #replace(dead: GrammarThread, call: MaskCall | undefined, reason: string): void {
    this.#threads.splice(this.#threads.indexOf(dead), 1);
    const culprit = call && this.#choices.get(call.matcher)?.source;
    if (culprit) this.#giveUp(culprit, reason);
    for (const one of this.#choices.values()) {
      if (one.thread !== dead || (culprit && sourceKey(one.source) === sourceKey(culprit))) continue;
      one.thread = this.#threadFor(one.source);
      open(one);
    }
  }

  #refuse(key: string, reason: string): void {
    this.#refused.set(key, reason);
    const oldest = this.#refused.keys().next();
    if (this.#refused.size > SOURCES_MAX && !oldest.done) this.#refused.delete(oldest.value);
  }
}

function open({ thread, matcher, source, tokens }: Constrained): void {
  thread.send({ call: 'open', matcher, index: tokens.length, source, tokens, draft: [] });
}

const FIELDS = { jsonSchema: 'schema', regex: 'pattern', grammar: 'grammar' } as const;

function refusal({ kind, text }: GrammarSource, reason: string): string {
  const found = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  return `constraint.${FIELDS[kind]}: found ${JSON.stringify(found)}; expected what XGrammar can compile. It says: ${reason.replace(/\.?$/, '.')}`;
}
