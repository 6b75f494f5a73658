import type { Slots } from './slots.js';

/** Who asks to be let in. */
export interface Entrant {
  tenantId: string;
  choices: number;
  background: boolean;
  /** Its place in the fair order, see `TenantTurns` in the API. */
  turn: number;
}

/** Slots of the engine that a generation has, given back as its choices end. */
export class Stay {
  #choices: number;

  constructor(
    choices: number,
    private readonly onFreed: (choices: number) => void,
  ) {
    this.#choices = choices;
  }

  /** All that are left, unless told how many. */
  free(choices = this.#choices): void {
    const freed = Math.min(choices, this.#choices);
    this.#choices -= freed;
    if (freed > 0) this.onFreed(freed);
  }
}

/** No tenant's id. */
const BACKGROUND = 'background';

interface Waiting extends Entrant {
  enter: (stay: Stay) => void;
}

/**
 * The door between jobs that were taken and the engine: back-pressure and fairness live here. While closed, nothing new
 * is submitted; what is running goes on. It is closed while Redis does not take our tokens, because every token generated
 * then has to be kept in memory, and the generation may have been given to another runner meanwhile.
 *
 * Who comes in is decided by turn. A tenant who has all the slots that one can have lets others pass; somebody whose many
 * choices do not fit yet is waited for, or those with few would keep him out for ever. A generation with more choices
 * than there are slots comes in alone. What is done in the background has all the slots of one tenant together, so that some
 * are left for who comes and waits.
 */
export class Admission {
  #open = true;
  readonly #waiting: Waiting[] = [];
  #inside = 0;
  /** A tenant, or the background. */
  readonly #byHolder = new Map<string, number>();

  constructor(private readonly slots: Slots) {}

  get isOpen(): boolean {
    return this.#open;
  }

  close(): void {
    this.#open = false;
  }

  open(): void {
    this.#open = true;
    this.#letIn();
  }

  /** Resolves when the caller may submit; rejects with the signal's reason when it is aborted first. */
  enter(entrant: Entrant, signal: AbortSignal): Promise<Stay> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(signal.reason as Error);
        this.#letIn();
      };
      const enter = (stay: Stay): void => {
        signal.removeEventListener('abort', leave);
        resolve(stay);
      };
      const waiting = { ...entrant, enter };
      signal.addEventListener('abort', leave, { once: true });
      const later = this.#waiting.findIndex(({ turn }) => turn > entrant.turn);
      this.#waiting.splice(later < 0 ? this.#waiting.length : later, 0, waiting);
      this.#letIn();
    });
  }

  #letIn(): void {
    if (!this.#open) return;
    for (const waiting of [...this.#waiting]) {
      const holder = waiting.background ? BACKGROUND : waiting.tenantId;
      const held = this.#byHolder.get(holder) ?? 0;
      if (held > 0 && held + waiting.choices > this.slots.tenant) continue;
      if (this.#inside > 0 && this.#inside + waiting.choices > this.slots.engine) return;
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      this.#count(holder, waiting.choices);
      waiting.enter(new Stay(waiting.choices, (choices) => this.#leave(holder, choices)));
    }
  }

  #leave(holder: string, choices: number): void {
    this.#count(holder, -choices);
    this.#letIn();
  }

  #count(holder: string, choices: number): void {
    const held = (this.#byHolder.get(holder) ?? 0) + choices;
    this.#inside += choices;
    if (held > 0) this.#byHolder.set(holder, held);
    else this.#byHolder.delete(holder);
  }
}
