import { basename } from 'node:path';
import type { Command } from 'commander';
import { findGoldenFolders } from './golden-file.js';
import { runGolden, type CaseResult, type GoldenOptions } from './golden-run.js';
import { addMachineOptions, numberIn } from './option-parsers.js';
import { padTo } from './text-layout.js';

export function addGoldenCommand(program: Command): void {
  const command = program
    .command('golden')
    .summary('compare the engine with reference outputs')
    .description(
      'Runs every case of a folder with golden.json and golden.safetensors (or of the folders right below it), prints the largest difference of each, and closes with "N passed, N failed". Weights are exact unless --weight-type says otherwise; rounded ones pass when greedy tokens are equal wherever the reference leads by more than 0.5. Exit status 1 when a case fails.',
    )
    .argument('<folder>', 'golden folder')
    .option('-m, --model <model>', 'another model than the one golden.json names')
    .option('--weights <file>', 'weights, where they are not in the model folder (.gguf)')
    .option('--tokenizer <dir>', 'folder of tokenizer.json, where it is not beside the model')
    .option('--adapters <dir>', 'folder of the adapters, where they are not in adapters/ beside golden.json')
    .option(
      '--tolerance <x>',
      'largest accepted difference, relative to the largest logit (default: 0.002; none for rounded types)',
      numberIn({ min: 0 }),
    )
    .option('--json', 'print JSON');
  addMachineOptions(command).action(async (folder: string, options: GoldenOptions & { json?: boolean }) => {
    process.exitCode = await golden(folder, options);
  });
}

async function golden(folder: string, options: GoldenOptions & { json?: boolean }): Promise<number> {
  const folders = findGoldenFolders(folder);
  const all: { folder: string; results: CaseResult[] }[] = [];
  for (const one of folders) {
    const results = await runGolden(one, options);
    all.push({ folder: one, results });
    if (!options.json) process.stdout.write(describe(folders.length > 1 ? `${basename(one)}/` : '', results));
  }
  const results = all.flatMap(({ results }) => results);
  const passed = results.filter((result) => result.passed).length;
  const failed = results.length - passed;
  if (options.json) process.stdout.write(`${JSON.stringify({ folders: all, passed, failed }, null, 2)}\n`);
  else process.stdout.write(`${passed} passed, ${failed} failed\n`);
  return failed > 0 || passed === 0 ? 1 : 0;
}

function describe(prefix: string, results: CaseResult[]): string {
  const width = Math.max(...results.map((result) => result.case.length)) + prefix.length;
  const lines = results.map(({ case: name, passed, difference, greedyTokens, error }) => {
    const logits = difference
      ? `max |Δlogit| ${difference.absolute.toExponential(2)} (${difference.relative.toExponential(2)} of max |logit|), KL ${difference.divergence.toExponential(1)}, top-1 ${(difference.top1 * 100).toFixed(1)} %`
      : '';
    const greedy = greedyTokens > 0 ? `${greedyTokens} greedy tokens equal` : '';
    const reason = error ? `${error.code}: ${error.message}` : '';
    const facts = [logits, greedy, reason].filter(Boolean).join('; ');
    return `${passed ? 'ok  ' : 'FAIL'}  ${padTo(prefix + name, width)}  ${facts}\n`;
  });
  return lines.join('');
}
