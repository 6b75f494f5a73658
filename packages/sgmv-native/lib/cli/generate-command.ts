import type { Command } from 'commander';
import { EngineError } from '../engine-error.js';
import type { GenerationRequest } from '../types.js';
import { resolveAdapters, type AdapterSource } from './adapter-source.js';
import { CliError } from './cli-error.js';
import { unstarted, type EngineSession, type Generation } from './engine-session.js';
import { describeEnd, generateOutput } from './generate-output.js';
import { addRequestOptions, request, type RequestOptions } from './generate-options.js';
import { readPrediction, readPrompt } from './generate-prompt.js';
import { resolveModel, type ModelOptions } from './model-source.js';
import { openModel } from './open-model.js';
import { addMachineOptions, collect, type MachineOptions } from './option-parsers.js';

interface GenerateOptions extends ModelOptions, RequestOptions, MachineOptions {
  adapter: string[];
  base?: boolean;
  json?: boolean;
}

interface Target {
  title: string;
  adapter?: AdapterSource;
}

interface Outcome extends Generation {
  target: string;
  adapter: string | null;
  choice: number;
}

const EXAMPLES = `
Examples:
  sgmv generate --model smollm2-135m-instruct --chat "What is the capital of France?"
  sgmv generate --model smollm2-135m-instruct --chat "Where is my parcel?" \\
    --adapter examples/adapters/reply-friendly --adapter brief=examples/adapters/reply-brief
  echo "Once upon a time" | sgmv generate --model ./my-model --prompt - --temperature 0.8 --seed 7
  sgmv generate --model smollm2-135m-instruct --chat "Describe a cat." \\
    --json-schema '{"properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name", "age"]}'`;

export function addGenerateCommand(program: Command): void {
  const command = program
    .command('generate')
    .summary('generate text with a model and any number of LoRA adapters')
    .description('Generates text. Several adapters run in one batch and stream side by side in the terminal.')
    .requiredOption('-m, --model <model>', 'model folder, .gguf file, or a name in models/catalog.json')
    .option('--weights <file>', 'weights, where they are not in the model folder (.gguf)')
    .option('--tokenizer <dir>', 'folder of tokenizer.json, where it is not beside the model')
    .option('-a, --adapter <dir>', 'PEFT adapter, as DIR or name=DIR; may be repeated', collect, [])
    .option('--base', 'also generate without an adapter');
  addRequestOptions(command).option('--json', 'print one JSON object at the end instead of text');
  addMachineOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (options: GenerateOptions) => {
      process.exitCode = await generate(options);
    });
}

async function generate(options: GenerateOptions): Promise<number> {
  if (options.logprobs !== undefined && !options.json)
    throw new CliError(
      'bad_argument',
      '--logprobs: found no --json; expected both, since text has no place for it.',
    );
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
    const plan = request(promptTokens, options, await readPrediction(tokenizer, options));
    const interrupted = cancelOnInterrupt(session);
    const outcomes = await runAll(session, targets, plan, options.json ?? false);
    if (options.json) process.stdout.write(`${JSON.stringify({ model: source.name, results: outcomes })}\n`);
    if (interrupted()) return 130;
    return outcomes.some(({ finishReason }) => finishReason === 'error') ? 1 : 0;
  } finally {
    await engine.close();
  }
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
  const n = plan.n ?? 1;
  const titles = targets.flatMap(({ title }) =>
    Array.from({ length: n }, (_, choice) => named(title, choice, n)),
  );
  const output = silent ? null : generateOutput(process.stdout, titles);
  const outcomes = await Promise.all(
    targets.map((target, index) =>
      runOne(session, target, plan, (choice, text) => output?.append(index * n + choice, text)).then(
        (all) => {
          for (const { choice, text } of all) output?.ended(index * n + choice, text);
          return all;
        },
      ),
    ),
  );
  output?.finish();
  if (!silent) for (const outcome of outcomes.flat()) report(outcome, n);
  return outcomes.flat();
}

const named = (title: string, choice: number, n: number): string =>
  n > 1 ? `${title} #${choice + 1}` : title;

function report(outcome: Outcome, n: number): void {
  const line = describeEnd(named(outcome.target, outcome.choice, n), outcome);
  process.stderr.write(process.stderr.isTTY ? `\x1b[2m${line}\x1b[0m\n` : `${line}\n`);
}

/** An adapter that cannot be loaded fails its own target only. */
async function runOne(
  session: EngineSession,
  { title, adapter }: Target,
  plan: Omit<GenerationRequest, 'id'>,
  onText: (choice: number, text: string) => void,
): Promise<Outcome[]> {
  const outcome = (generation: Generation, choice: number): Outcome => ({
    ...{ target: title, adapter: adapter?.folder ?? null, choice },
    ...generation,
  });
  try {
    if (adapter) await session.engine.loadAdapter(adapter.name, adapter.folder);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return unstarted(plan, 'error', error).map(outcome);
  }
  const generations = await session.runChoices({ ...plan, adapter: adapter?.name }, onText);
  return generations.map(outcome);
}
