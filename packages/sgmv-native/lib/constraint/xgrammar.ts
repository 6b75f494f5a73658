/**
 * XGrammar's WebAssembly build. The package is made for browsers and breaks in Node as it is: an ES module by its
 * package.json, a script that looks for `require` by its content. It is given what it would find in a web worker, and a
 * console of ours: the library has no exceptions, so the reason for a refusal is what it logs before it aborts.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { compileFunction } from 'node:vm';
import { EngineError } from '../engine-error.js';

export type XGrammar = typeof import('@mlc-ai/web-xgrammar');
export type { CompiledGrammar, Grammar, GrammarCompiler, GrammarMatcher } from '@mlc-ai/web-xgrammar';

const FILE = createRequire(import.meta.url).resolve('@mlc-ai/web-xgrammar');
const GLOBALS = ['exports', 'module', 'console', 'process', 'importScripts', 'self', 'location'];

/** An instance of its own, with a memory of its own. After a refusal it is not to be used any more. */
export class XGrammarInstance {
  readonly library: XGrammar;
  #log: string[] = [];

  constructor() {
    const exports = {};
    const log = (...values: unknown[]): void => void this.#log.push(values.join(' '));
    const location = { href: 'file:///' };
    const load = compileFunction(readFileSync(FILE, 'utf8'), GLOBALS, { filename: FILE });
    load(exports, { exports }, { log, warn: log, error: log }, undefined, () => {}, { location }, location);
    this.library = exports as XGrammar;
  }

  /** Runs `body`; when the library aborts, throws its reason. An EngineError is the caller's own and passes. */
  async run<T>(body: (library: XGrammar) => Promise<T> | T): Promise<T> {
    this.#log = [];
    try {
      return await body(this.library);
    } catch (error) {
      if (error instanceof EngineError) throw error;
      throw new Error(this.#reason() ?? `it aborted: ${String(error)}`, { cause: error });
    }
  }

  /** Without the level and the place in the library's sources. */
  #reason(): string | undefined {
    const fatal = this.#log.findLast((line) => line.startsWith('[FATAL]'));
    return fatal?.replace(/^\[FATAL\] \S+:\d+: /, '').trim();
  }
}
