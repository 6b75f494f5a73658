import { checkOptions, checkPath, checkRequest, checkText } from './check.js';
import { Constraints } from './constraint/constraints.js';
import type { PackedVocabulary } from './constraint/protocol.js';
import { grammarSource } from './constraint/source.js';
import { chooseDevice, listDevices, type ChosenDevice } from './devices.js';
import { EngineError } from './engine-error.js';
import { native, translated, translatedAsync, type NativeEngine, type NativeEvent } from './native.js';
import type {
  Engine,
  EngineEvent,
  EngineOptions,
  EngineStats,
  GenerationRequest,
  ModelInfo,
} from './types.js';

/** Bytes of all tokens in one buffer, so that a vocabulary of 50 000 entries crosses into C++ at once. */
function packVocabulary(vocabulary: (Uint8Array | null)[]): PackedVocabulary {
  const ends = new Uint32Array(vocabulary.length);
  const special = new Uint8Array(vocabulary.length);
  let total = 0;
  vocabulary.forEach((bytes, id) => {
    total += bytes?.length ?? 0;
    ends[id] = total;
    special[id] = bytes === null ? 1 : 0;
  });
  const packed = new Uint8Array(total);
  vocabulary.forEach((bytes, id) => {
    if (bytes) packed.set(bytes, (ends[id] ?? 0) - bytes.length);
  });
  return { bytes: packed, ends, special };
}

class NodeEngine implements Engine {
  onEvents: (events: EngineEvent[]) => void = () => {};
  readonly model: ModelInfo;
  #constraints: Constraints | undefined;
  #closed: Promise<void> | undefined;

  constructor(
    private readonly engine: NativeEngine,
    private readonly vocabulary: PackedVocabulary | undefined,
    { device, note }: ChosenDevice,
  ) {
    this.model = { ...engine.model(), device, deviceNote: note };
  }

  submit(request: GenerationRequest): void {
    const { constraint, thought, ...checked } = checkRequest(request);
    const source = constraint && grammarSource(constraint, thought);
    const constraints = source && this.#openConstraints();
    translated(() => this.engine.submit(checked));
    if (source) constraints?.start(checked.id, checked.n, source, checked.resumeTokens);
  }

  #openConstraints(): Constraints {
    const { vocabulary, model } = this;
    const missing = vocabulary ? 'end token' : 'vocabulary';
    if (!vocabulary || model.endTokens.length === 0)
      throw new EngineError(
        'bad_argument',
        `constraint: found one; expected none, because there is no ${missing}.`,
      );
    const { vocabSize, endTokens } = model;
    return (this.#constraints ??= new Constraints(this.engine, { vocabulary, vocabSize, endTokens }));
  }

  /** Events from the engine's thread. */
  receive(events: NativeEvent[]): void {
    this.#constraints?.observe(events);
    const told = events.filter((event) => event.type !== 'draft');
    if (told.length > 0) this.onEvents(told);
  }

  cancel(id: string): void {
    if (!this.#closed) translated(() => this.engine.cancel(checkText(id, 'id')));
  }

  async loadAdapter(name: string, folder: string): Promise<void> {
    await this.#load(name, folder, false);
  }

  async prefetchAdapter(name: string, folder: string): Promise<boolean> {
    return this.#load(name, folder, true);
  }

  async #load(name: string, folder: string, prefetch: boolean): Promise<boolean> {
    checkText(name, 'name');
    checkPath(folder, 'folder');
    return translatedAsync(() => this.engine.loadAdapter(name, folder, prefetch));
  }

  unloadAdapter(name: string): boolean {
    return translated(() => this.engine.unloadAdapter(checkText(name, 'name')));
  }

  adapters(): { name: string; bytes: number; pinned: boolean }[] {
    return translated(() => this.engine.adapters());
  }

  stats(): EngineStats {
    return translated(() => this.engine.stats());
  }

  close(): Promise<void> {
    this.#closed ??= translatedAsync(() => this.engine.close()).finally(() => this.#constraints?.close());
    return this.#closed;
  }
}

/**
 * Loads the model on a worker thread and starts the engine. Rejects with EngineError: `bad_argument`,
 * `model_not_found`, `model_unsupported`, `model_corrupt`, `out_of_memory`, `device_unavailable`, `device_failed`,
 * `not_built`.
 */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { vocabulary, ...rest } = checkOptions(options);
  const packed = vocabulary && packVocabulary(vocabulary);
  const wanted = rest.device ?? 'auto';
  // Who wants the CPU does not wake CUDA's driver.
  const chosen = wanted === 'cpu' ? { device: wanted, note: null } : chooseDevice(wanted, await listDevices());
  // Events come only after a submit, and so after the engine has its JavaScript side.
  const side: { engine?: NodeEngine } = {};
  const dispatch = (events: NativeEvent[]): void => {
    try {
      side.engine?.receive(events);
    } catch (error) {
      // A handler's fault must not reach native code; it surfaces as the uncaught exception it is.
      process.nextTick(() => {
        throw error;
      });
    }
  };
  const created = await translatedAsync(() =>
    native().createEngine({ ...rest, device: chosen.device, vocabulary: packed }, dispatch),
  );
  side.engine = new NodeEngine(created, packed, chosen);
  return side.engine;
}
