/**
 * The model and the adapters in the formats the peers read, all from the file and the adapters we use ourselves:
 * bf16 safetensors for vLLM and PEFT; Q4_1 (the file itself), Q8_0 and BF16 GGUF, and LoRA GGUFs, for llama.cpp.
 */
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProgram } from '../turns.mjs';

const MAKE_BASE = fileURLToPath(new URL('make_base.py', import.meta.url));

/** Makes `path` by way of a name beside it, so that an interrupted conversion is not taken for a finished one. */
async function provide(path, make) {
  if (existsSync(path)) return path;
  mkdirSync(dirname(path), { recursive: true });
  const partial = `${path}.part`;
  await make(partial);
  renameSync(partial, path);
  return path;
}

export function provideSafetensors({ folder, peft, gguf, config }) {
  return provide(join(folder, 'models', `${basename(config)}-bf16`), (out) =>
    runProgram(peft.python, [MAKE_BASE, gguf, config, out]),
  );
}

/** @returns {Promise<Record<'Q4_1' | 'Q8_0' | 'BF16', string>>} */
export async function provideGgufs({ folder, llama, gguf }) {
  const files = { Q4_1: gguf };
  for (const type of ['Q8_0', 'BF16']) {
    files[type] = await provide(
      join(folder, 'models', `${basename(gguf, '.Q4_1.gguf')}.${type}.gguf`),
      (out) => runProgram(join(llama.bin, 'llama-quantize'), ['--allow-requantize', gguf, out, type]),
    );
  }
  return files;
}

export async function provideLoraGgufs({ folder, llama, peft, base, adapters, note }) {
  const files = [];
  for (const [i, adapter] of adapters.entries()) {
    const path = join(folder, 'models', basename(dirname(adapter)), `${basename(adapter)}.gguf`);
    if (!existsSync(path)) note(`llama.cpp: adapter ${i + 1} of ${adapters.length} to GGUF`);
    files.push(
      await provide(path, (out) =>
        runProgram(peft.python, [
          join(llama.source, 'convert_lora_to_gguf.py'),
          ...['--base', base, '--outtype', 'bf16', '--outfile', out, adapter],
        ]),
      ),
    );
  }
  return files;
}
