/**
 * The native module and its TypeScript types. Found next to this package's sources, where scripts/build-native.mjs
 * puts it.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { AdapterReport } from './adapter-report.js';
import type { Devices } from './devices.js';
import { EngineError } from './engine-error.js';
import type {
  EngineEvent,
  EngineStats,
  FactorSegment,
  GenerationRequest,
  ModelInfo,
  ModelShape,
  SamplingOptions,
} from './types.js';

/** A request as lib/check.ts leaves it: every list is there, of the type C++ reads. */
export interface NativeRequest extends Omit<
  GenerationRequest,
  'promptTokens' | 'resumeTokens' | 'predictionTokens' | 'stopTokens' | 'silentTokens' | 'sampling' | 'constraint'
> {
  n: number;
  constrained: boolean;
  promptTokens: Int32Array;
  /** By choice; empty: none has any. */
  resumeTokens: Int32Array[];
  predictionTokens: Int32Array;
  stopTokens: Int32Array;
  silentTokens: Int32Array;
  sampling: Omit<SamplingOptions, 'logitBias'> & { biasedTokens: Int32Array; biases: Float32Array };
}

/** Guesses that the step under way verifies, of a constrained choice. */
export interface DraftEvent {
  type: 'draft';
  id: string;
  choice: number;
  tokens: number[];
}

export type NativeEvent = EngineEvent | DraftEvent;

export interface NativeEngine {
  submit(request: NativeRequest): void;
  cancel(id: string): void;
  /** `after`: tokens of a draft before `index`; `forced`: what the text must go on with from there. */
  provideMask(id: string, choice: number, index: number, mask: Uint32Array, after: Int32Array, forced: string): void;
  fail(id: string, code: string, message: string): void;
  /** False: a prefetch that was given up. */
  loadAdapter(name: string, folder: string, prefetch: boolean): Promise<boolean>;
  unloadAdapter(name: string): boolean;
  adapters(): { name: string; bytes: number; pinned: boolean }[];
  stats(): EngineStats;
  model(): Omit<ModelInfo, 'device' | 'deviceNote'>;
  close(): Promise<void>;
}

interface OpsDevice {
  isa?: string;
  threads?: number;
}

export interface NativeModule {
  createEngine(options: object, onEvents: (events: NativeEvent[]) => void): Promise<NativeEngine>;
  inspectAdapter(folder: string, modelConfig: string): Promise<AdapterReport>;
  modelInfo(modelConfig: string): Promise<ModelShape>;
  sgmvShrink(
    device: OpsDevice,
    x: Float32Array,
    inFeatures: number,
    segments: FactorSegment[],
    v: Float32Array,
  ): void;
  sgmvExpand(
    device: OpsDevice,
    v: Float32Array,
    outFeatures: number,
    segments: FactorSegment[],
    y: Float32Array,
  ): void;
  devices(): Promise<Devices>;
  cpuInfo(): { cores: number; isas: string[] };
}

const MODULE_PATH = fileURLToPath(new URL('../build/Release/sgmv.node', import.meta.url));
let loaded: NativeModule | undefined;

/** Throws EngineError `not_built` with what to do. */
export function native(): NativeModule {
  if (!loaded) {
    if (!existsSync(MODULE_PATH)) {
      throw new EngineError(
        'not_built',
        `The engine is not built: ${MODULE_PATH} is missing. Run \`npm run build -w @aril/sgmv-native\` in the root of the repository (\`npm start\` does it too).`,
      );
    }
    loaded = createRequire(import.meta.url)(MODULE_PATH) as NativeModule;
  }
  return loaded;
}

/** Runs `body`; an error of the native module leaves it as EngineError with the same code. */
export function translated<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw asEngineError(error);
  }
}

/** The same for promises. */
export async function translatedAsync<T>(body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw asEngineError(error);
  }
}

function asEngineError(error: unknown): unknown {
  if (error instanceof EngineError || !(error instanceof Error)) return error;
  const { code } = error as Error & { code?: unknown };
  return typeof code === 'string' ? new EngineError(code, error.message, { cause: error }) : error;
}
