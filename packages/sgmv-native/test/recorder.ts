/** An engine and everything it says, request by request. Fails on events that break the rules of the stream. */
import {
  createEngine,
  type EndEvent,
  type Engine,
  type EngineOptions,
  type GenerationRequest,
  type TokenLogprobs,
} from '../lib/index.js';

export interface Recording {
  tokens: number[];
  /** Text of each event with tokens, then of the end. */
  pieces: string[];
  text: string;
  /** Rows that chose the tokens, one after the other. */
  logits: Float32Array[];
  logprobs: TokenLogprobs[];
  promptLogits?: Float32Array;
  promptLogprobs?: TokenLogprobs[];
  end: EndEvent;
}

type Open = Omit<Recording, 'end'> & {
  end?: EndEvent;
  done?: (recording: Recording) => void;
  waiters: (() => void)[];
};

export class Recorder {
  readonly #requests = new Map<string, Open[]>();
  #count = 0;
  readonly faults: string[] = [];

  private constructor(readonly engine: Engine) {
    engine.onEvents = (events) => {
      if (events.length === 0) this.faults.push('an empty step');
      for (const event of events) this.#take(event);
    };
  }

  static async open(options: EngineOptions): Promise<Recorder> {
    return new Recorder(await createEngine({ kvBytes: 32 << 20, ...options }));
  }

  #take(event: Parameters<Engine['onEvents']>[0][number]): void {
    const open = this.#requests.get(event.id)?.[event.type === 'prompt' ? 0 : event.choice];
    if (!open || open.end) {
      this.faults.push(`an event of ${event.id} outside its life`);
      return;
    }
    if (event.type === 'prompt') {
      open.promptLogits = event.logits;
      open.promptLogprobs = event.logprobs;
      return;
    }
    open.pieces.push(event.text);
    open.text += event.text;
    if (event.type === 'tokens') {
      open.tokens.push(...event.tokens);
      if (event.logits) open.logits.push(event.logits);
      if (event.logprobs) open.logprobs.push(...event.logprobs);
    } else {
      open.end = event;
      open.done?.(open as Recording);
    }
    for (const waiter of open.waiters.splice(0)) waiter();
  }

  /** Submits, and resolves with the whole when it has ended. Throws when the engine refuses it. */
  start(request: Omit<GenerationRequest, 'id'> & { id?: string }): {
    id: string;
    whole: Promise<Recording>;
    choices: Promise<Recording[]>;
  } {
    const id = request.id ?? `r${++this.#count}`;
    const open = Array.from({ length: request.n ?? 1 }, (): Open => ({
      tokens: [],
      pieces: [],
      text: '',
      logits: [],
      logprobs: [],
      waiters: [],
    }));
    this.#requests.set(id, open);
    const wholes = open.map((one) => new Promise<Recording>((resolve) => (one.done = resolve)));
    this.engine.submit({ ...request, id });
    return { id, whole: wholes[0]!, choices: Promise.all(wholes) };
  }

  run(request: Omit<GenerationRequest, 'id'>): Promise<Recording> {
    return this.start(request).whole;
  }

  async tokensOf(id: string, count: number): Promise<void> {
    const open = this.#requests.get(id)?.[0];
    while (open && !open.end && open.tokens.length < count) {
      await new Promise<void>((resolve) => open.waiters.push(resolve));
    }
  }

  /** Closes, and returns what broke the rules: events out of place, blocks or pins left behind. */
  async close(): Promise<string[]> {
    const { kvBlocksFree, kvBlocksTotal, running, waiting } = this.engine.stats();
    const idle = running + waiting === 0;
    if (idle && kvBlocksFree !== kvBlocksTotal)
      this.faults.push(`${kvBlocksTotal - kvBlocksFree} KV blocks leaked`);
    if (idle && this.engine.adapters().some(({ pinned }) => pinned))
      this.faults.push('an adapter is still pinned');
    await this.engine.close();
    return this.faults;
  }
}
