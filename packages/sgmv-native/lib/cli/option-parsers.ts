/** Values of command line options, refused with what was found and what was expected. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { ADAPTER_TYPES, DEVICE, KV_TYPES, WEIGHT_TYPES } from '../engine-choices.js';
import type { EngineOptions } from '../types.js';

interface Range {
  min: number;
  max?: number;
  /** The smallest value itself is not allowed. */
  above?: boolean;
  whole?: boolean;
}

function describe({ min, max, above, whole }: Range): string {
  const kind = whole ? 'a whole number' : 'a number';
  const from = above ? `above ${min}` : max === undefined ? `of at least ${min}` : `from ${min}`;
  return `${kind} ${from}${max === undefined ? '' : above ? ` and at most ${max}` : ` to ${max}`}`;
}

export function numberIn(range: Range): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    const sound =
      Number.isFinite(value) &&
      (range.above ? value > range.min : value >= range.min) &&
      value <= (range.max ?? Number.MAX_SAFE_INTEGER) &&
      (!range.whole || Number.isInteger(value));
    if (!sound) throw new InvalidArgumentError(`Found "${text}"; expected ${describe(range)}.`);
    return value;
  };
}

/** For options that may be given several times. */
export const collect = (text: string, earlier: string[] = []): string[] => [...earlier, text];

/** TOKEN=BIAS, may be given several times. */
export function collectBias(text: string, earlier: Record<number, number> = {}): Record<number, number> {
  const [, token, bias] = /^(\d{1,10})=(.+)$/.exec(text) ?? [];
  if (!token || !bias)
    throw new InvalidArgumentError(`Found "${text}"; expected TOKEN=BIAS, for example 42=-100.`);
  return { ...earlier, [Number(token)]: numberIn({ min: -100, max: 100 })(bias) };
}

function deviceName(text: string): string {
  if (!DEVICE.test(text)) throw new InvalidArgumentError(`Found "${text}"; expected auto, cpu or cuda:0, cuda:1 ….`);
  return text;
}

export type MachineOptions = Pick<
  EngineOptions,
  'threads' | 'isa' | 'device' | 'batchInvariant' | 'weightType' | 'adapterType' | 'kvType' | 'draftTokens'
>;

export function addMachineOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--threads <n>', 'worker threads').argParser(numberIn({ min: 1, max: 1024, whole: true })),
    )
    .addOption(
      new Option('--isa <name>', 'instruction set; default the best there is').choices([
        'avx512_bf16',
        'avx512_vnni',
        'avx512',
        'avx2',
        'neon',
        'portable',
      ]),
    )
    .addOption(
      new Option('--device <name>', 'cpu, cuda:0 … or auto: a CUDA device if there is one')
        .env('ARIL_DEVICE')
        .argParser(deviceName),
    )
    .addOption(
      new Option('--batch-invariant', 'on CUDA too, outputs that do not depend on the batch to the bit'),
    )
    .addOption(new Option('--weight-type <type>', 'base weights').choices(['auto', ...WEIGHT_TYPES]))
    .addOption(new Option('--adapter-type <type>', 'adapters').choices(['auto', ...ADAPTER_TYPES]))
    .addOption(new Option('--kv-type <type>', 'keys and values').choices(['auto', ...KV_TYPES]))
    .addOption(
      new Option('--draft-tokens <n>', 'guessed tokens fill a step up to so many; 0 is none, the text is the same').argParser(
        numberIn({ min: 0, max: 2 ** 31 - 1, whole: true }),
      ),
    );
}
