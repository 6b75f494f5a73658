import type { Command } from 'commander';
import type { AdapterProblem, AdapterReport, AdapterSummary } from '../adapter-report.js';
import { EngineError } from '../engine-error.js';
import { inspectAdapter } from '../inspect.js';
import { adapterFolder } from './adapter-source.js';
import { CliError } from './cli-error.js';
import { resolveConfig } from './model-source.js';
import { table } from './text-layout.js';
import { bytes, integer } from './quantities.js';

/** An adapter of another model has hundreds, all alike. */
const PROBLEMS_SHOWN = 8;

export function addInspectCommand(program: Command): void {
  program
    .command('inspect')
    .summary('check a LoRA adapter against a model')
    .description(
      'Reads adapter_config.json and adapter_model.safetensors and checks them against the model, whose weights are not needed. Exit status 1 when the adapter is refused.',
    )
    .argument('<adapter>', 'folder of a PEFT adapter')
    .requiredOption(
      '-m, --model <model>',
      'model folder, config.json, .gguf file, or a name in models/catalog.json',
    )
    .option('--json', 'print the report as JSON')
    .addHelpText('after', '\nExample:\n  sgmv inspect examples/adapters/sql --model smollm2-135m-instruct')
    .action(async (adapter: string, options: { model: string; json?: boolean }) => {
      process.exitCode = await inspect(adapter, options);
    });
}

async function inspect(adapter: string, options: { model: string; json?: boolean }): Promise<number> {
  try {
    const { name, config } = resolveConfig(options.model);
    const folder = adapterFolder(adapter);
    const report = await inspectAdapter(folder, config);
    process.stdout.write(
      options.json ? `${JSON.stringify(report, null, 2)}\n` : describe(folder, name, report),
    );
    return report.ok ? 0 : 1;
  } catch (error) {
    if (!options.json || !(error instanceof EngineError || error instanceof CliError)) throw error;
    const { code, message } = error;
    process.stdout.write(
      `${JSON.stringify({ ok: false, problems: [], summary: null, error: { code, message } }, null, 2)}\n`,
    );
    return 1;
  }
}

function describe(folder: string, model: string, { ok, problems, summary }: AdapterReport): string {
  const count = `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`;
  const rows = [
    ['adapter', folder],
    ['model', model],
    ['verdict', ok ? 'accepted' : `refused: ${count}`],
    ...(summary ? summaryRows(summary) : []),
  ];
  const shown = problems.slice(0, PROBLEMS_SHOWN).map(problemBlock).join('');
  const more = problems.length - PROBLEMS_SHOWN;
  return `${table(rows)}\n${shown}${more > 0 ? `\n… and ${more} more; --json prints all of them.\n` : ''}`;
}

function summaryRows(summary: AdapterSummary): string[][] {
  const { rankMin, rankMax } = summary;
  return [
    ['rank', rankMin === rankMax ? `${rankMin}` : `${rankMin} to ${rankMax}`],
    ['scaling', summary.rslora ? 'rsLoRA (alpha / √rank)' : 'alpha / rank'],
    ...(summary.dora ? [['magnitudes', 'DoRA']] : []),
    ...(summary.trainedTokens > 0 ? [['trained tokens', `${summary.trainedTokens}`]] : []),
    ...(summary.invocationTokens.length > 0 ? [['invoked by', `tokens ${summary.invocationTokens.join(', ')} (aLoRA)`]] : []),
    ['targets', summary.targetModules.join(', ')],
    ['layers', `${summary.layers}`],
    ['parameters', integer(summary.parameters)],
    ['precision', summary.dtype],
    ['resident', bytes(summary.residentBytes)],
  ];
}

function problemBlock({ code, file, path, found, expected, message }: AdapterProblem): string {
  const place = path === null ? file : `${file}: ${path}`;
  return `\n${code}: ${message}\n  in        ${place}\n  found     ${found}\n  expected  ${expected}\n`;
}
