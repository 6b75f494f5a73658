/** From `--model` and its companions to a running engine. */
import { createEngine } from '../create-engine.js';
import { ModelTokenizer } from '../tokenizer.js';
import type { Engine, EngineOptions } from '../types.js';
import { EngineSession } from './engine-session.js';
import type { ModelSource } from './model-source.js';
import type { MachineOptions } from './option-parsers.js';

export interface OpenModel {
  engine: Engine;
  session: EngineSession;
  tokenizer: ModelTokenizer | null;
}

export async function openModel(
  source: ModelSource,
  options: MachineOptions & Pick<EngineOptions, 'adapterBytes'> = {},
): Promise<OpenModel> {
  const tokenizer =
    source.tokenizerFolder === null ? null : await ModelTokenizer.load(source.tokenizerFolder);
  const { threads, isa, device, batchInvariant, weightType, adapterType, kvType, draftTokens, adapterBytes } = options;
  const vocabulary = tokenizer?.vocabulary();
  const machine = { threads, isa, device, batchInvariant, weightType, adapterType, kvType, draftTokens };
  const engine = await createEngine({ model: source.weights, ...machine, adapterBytes, vocabulary });
  if (engine.model.deviceNote) process.stderr.write(`${engine.model.deviceNote}\n`);
  return { engine, session: new EngineSession(engine), tokenizer };
}
