import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import type { Command } from 'commander';
import { readModelShape } from '../model-shape.js';
import { listDevices } from '../devices.js';
import { cpuInfo } from '../ops.js';
import { version } from '../version.js';
import { cacheFolder, resolveConfig } from './model-source.js';
import { table } from './text-layout.js';
import { bytes, integer } from './quantities.js';

export function addInfoCommand(program: Command): void {
  program
    .command('info')
    .summary('show the engine, the processor and, if given, a model')
    .option('-m, --model <model>', 'model folder, config.json, .gguf file, or a name in models/catalog.json')
    .option('--json', 'print JSON')
    .action(async (options: { model?: string; json?: boolean }) => {
      const facts = await collectFacts(options.model);
      process.stdout.write(options.json ? `${JSON.stringify(facts, null, 2)}\n` : describe(facts));
    });
}

async function collectFacts(model: string | undefined) {
  const { cores, isas } = cpuInfo();
  const cache = cacheFolder();
  return {
    version,
    node: process.version,
    cpu: { name: cpus()[0]?.model.trim() ?? 'unknown', threads: cores, isa: isas[0] ?? 'portable', isas },
    ...(await cudaFacts()),
    cache: existsSync(cache) ? cache : null,
    ...(model === undefined ? {} : { model: await modelFacts(model) }),
  };
}

async function cudaFacts() {
  const { devices, whyNoCuda } = await listDevices();
  return { cuda: devices.filter(({ name }) => name !== 'cpu'), whyNoCuda };
}

async function modelFacts(model: string) {
  const { name, config } = resolveConfig(model);
  return { name, source: config, ...(await readModelShape(config)) };
}

type Facts = Awaited<ReturnType<typeof collectFacts>>;

function describe({ version, node, cpu, cuda, whyNoCuda, cache, model }: Facts): string {
  const rows = [
    ['sgmv', version],
    ['node', node],
    ['processor', cpu.name],
    ['threads', `${cpu.threads}`],
    ['instruction set', `${cpu.isa} (this machine has: ${cpu.isas.join(', ')})`],
    ...cuda.map(({ name, description, memoryBytes }) => [name, `${description}, ${bytes(memoryBytes)}`]),
    ...(cuda.length === 0 ? [['CUDA', `not used: ${whyNoCuda}`]] : []),
    ['model cache', cache ?? 'empty'],
  ];
  if (model) rows.push(...modelRows(model));
  return `${table(rows)}\n`;
}

function modelRows(model: Awaited<ReturnType<typeof modelFacts>>): string[][] {
  const { fullAttention, latentWidth } = model;
  const full = fullAttention ? `; where all is seen ${fullAttention.kvHeads} key/value, ${fullAttention.headDim} wide` : '';
  return [
    ['model', `${model.name} (${model.modelType})`],
    ['read from', model.source],
    ['layers', `${model.layers}`],
    ['hidden size', `${model.hiddenSize}, intermediate ${model.intermediateSize}`],
    ...(model.experts
      ? [
          [
            'experts',
            `${model.experts.count}, ${model.experts.perToken} per token, ${model.experts.size} wide`,
          ],
        ]
      : []),
    [
      'heads',
      latentWidth
        ? `${model.heads} query, ${model.headDim} wide, of one row of ${latentWidth} key/value`
        : `${model.heads} query, ${model.kvHeads} key/value, ${model.headDim} wide${full}`,
    ],
    ['vocabulary', integer(model.vocabSize)],
    ['context', `${integer(model.maxPositions)} tokens`],
    ['end tokens', model.endTokens.join(', ') || 'none'],
  ];
}
