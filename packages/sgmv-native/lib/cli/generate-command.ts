import type { Command } from 'commander';
import { EngineError } from '../engine-error.js';
import type { GenerationRequest } from '../types.js';
import { resolveAdapters, type AdapterSource } from './adapter-source.js';
import { CliError } from './cli-error.js';
import type { EngineSession, Generation } from './engine-session.js';
import { describeEnd, generateOutput } from './generate-output.js';
import { readPrompt, type PromptOptions } from './generate-prompt.js';
import { resolveModel, type ModelOptions } from './model-source.js';
import { openModel } from './open-model.js';
import { addMachineOptions, collect, numberIn, type MachineOptions } from './option-parsers.js';

interface GenerateOptions extends ModelOptions, PromptOptions, MachineOptions {
  adapter: string[];
  base?: boolean;
  maxTokens: number;
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  seed: number;
  stop: string[];
  json?: boolean;
}

interface Target {
  title: string;
  adapter?: AdapterSource;
}

interface Outcome extends Generation {
  target: string;
  adapter: string | null;
  seconds: number;
}

const EXAMPLES = `
Examples:
  sgmv generate --model smollm2-135m-instruct --chat "What is the capital of France?"
  sgmv generate --model smollm2-135m-instruct --chat "Where is my parcel?" \\
    --adapter examples/adapters/reply-friendly --adapter brief=examples/adapters/reply-brief
  echo "Once upon a time" | sgmv generate --model ./my-model --prompt - --temperature 0.8 --seed 7`;

export function addGenerateCommand(program: Command): void {
  const command = program
    .command('generate')
    .summary('generate text with a model and any number of LoRA adapters')
    .description('Generates text. Several adapters run in one batch and stream side by side in the terminal.')
    .requiredOption('-m, --model <model>', 'model folder, .gguf file, or a name in models/catalog.json')
    .option('--weights <file>', 'weights, where they are not in the model folder (.gguf)')
    .option('--tokenizer <dir>', 'folder of tokenizer.json, where it is not beside the model')
    .option('-a, --adapter <dir>', 'PEFT adapter, as DIR or name=DIR; may be repeated', collect, [])
    .option('--base', 'also generate without an adapter')
    .option('-p, --prompt <text>', 'text to continue; - reads standard input')
    .option('-c, --chat <text>', 'message to answer, through the chat template; - reads standard input')
    .option('--system <text>', 'system message, with --chat')
    .option(
      '-n, --max-tokens <n>',
      'longest answer',
      numberIn({ min: 1, max: 2 ** 31 - 1, whole: true }),
      256,
    )
    .option('-t, --temperature <x>', '0 is greedy', numberIn({ min: 0 }), 0)
    .option(
      '--top-k <n>',
      'sample among the n likeliest tokens; 0 is all',
      numberIn({ min: 0, max: 2 ** 31 - 1, whole: true }),
      0,
    )
    .option(
      '--top-p <x>',
      'sample among the likeliest tokens that hold this probability',
      numberIn({ min: 0, max: 1, above: true }),
      1,
    )
    .option(
      '--min-p <x>',
      'sample among tokens at least this likely, relative to the likeliest',
      numberIn({ min: 0, max: 1 }),
      0,
    )
    .option(
      '--seed <n>',
      'the same seed gives the same text',
      numberIn({ min: 0, max: 2 ** 32 - 1, whole: true }),
      0,
    )
    .option('--stop <text>', 'end before this text; may be repeated', collect, [])
    .option('--json', 'print one JSON object at the end instead of text');
  addMachineOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (options: GenerateOptions) => {
      process.exitCode = await generate(options);
    });
}

async function generate(options: GenerateOptions): Promise<number> {
  const source = resolveModel(options);
  const targets: Target[] = resolveAdapters(options.adapter).map((adapter) => ({
    title: adapter.name,
    adapter,
  }));
  if (options.base || targets.length === 0) targets.unshift({ title: 'base model' });
  const { engine, session, tokenizer } = await openModel(source, options);
  try {
    if (!tokenizer)
      throw new CliError(
        'model_not_found',
        `There is no tokenizer.json beside ${source.weights}; name its folder with --tokenizer.`,
      );
    const promptTokens = await readPrompt(tokenizer, options);
    const interrupted = cancelOnInterrupt(session);
    const outcomes = await runAll(session, targets, request(promptTokens, options), options.json ?? false);
    if (options.json) process.stdout.write(`${JSON.stringify({ model: source.name, results: outcomes })}\n`);
    if (interrupted()) return 130;
    return outcomes.some(({ finishReason }) => finishReason === 'error') ? 1 : 0;
  } finally {
    await engine.close();
  }
}

function request(promptTokens: number[], options: GenerateOptions): Omit<GenerationRequest, 'id'> {
  const { temperature, topK, topP, minP, seed, maxTokens, stop } = options;
  return { promptTokens, maxTokens, stop, sampling: { temperature, topK, topP, minP, seed } };
}

/** The first Ctrl-C ends the requests, so that what there is gets shown; the second ends the process. */
function cancelOnInterrupt(session: EngineSession): () => boolean {
  let interrupted = false;
  process.once('SIGINT', () => {
    interrupted = true;
    process.once('SIGINT', () => process.exit(130));
    session.cancelAll();
  });
  return () => interrupted;
}

async function runAll(
  session: EngineSession,
  targets: Target[],
  plan: Omit<GenerationRequest, 'id'>,
  silent: boolean,
): Promise<Outcome[]> {
  const titles = targets.map(({ title }) => title);
  const output = silent ? null : generateOutput(process.stdout, titles);
  const outcomes = await Promise.all(
    targets.map((target, index) =>
      runOne(session, target, plan, (text) => output?.append(index, text)).then((outcome) => {
        output?.ended(index, outcome.text);
        return outcome;
      }),
    ),
  );
  output?.finish();
  if (!silent) for (const outcome of outcomes) report(outcome);
  return outcomes;
}

function report(outcome: Outcome): void {
  const line = describeEnd(outcome.target, outcome, outcome.seconds);
  process.stderr.write(process.stderr.isTTY ? `\x1b[2m${line}\x1b[0m\n` : `${line}\n`);
}

/** An adapter that cannot be loaded fails its own target only. */
async function runOne(
  session: EngineSession,
  { title, adapter }: Target,
  plan: Omit<GenerationRequest, 'id'>,
  onText: (text: string) => void,
): Promise<Outcome> {
  const named = { target: title, adapter: adapter?.folder ?? null };
  try {
    if (adapter) await session.engine.loadAdapter(adapter.name, adapter.folder);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    const failure = { code: error.code, message: error.message };
    return { ...named, ...unstarted(plan), error: failure, seconds: 0 };
  }
  const started = performance.now();
  const generation = await session.run({ ...plan, adapter: adapter?.name }, onText);
  return { ...named, ...generation, seconds: Number(((performance.now() - started) / 1000).toFixed(3)) };
}

const unstarted = (plan: Omit<GenerationRequest, 'id'>): Generation => ({
  tokens: [],
  text: '',
  finishReason: 'error',
  promptTokens: plan.promptTokens.length,
  completionTokens: 0,
});
