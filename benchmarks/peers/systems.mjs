/**
 * The peers as systems that take turns at one workload. Without adapters a peer runs in a process without its LoRA
 * machinery: its best case.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { provideGgufs, provideLoraGgufs, provideSafetensors } from './models.mjs';
import { runProgram, runTurn } from '../turns.mjs';

const driver = (name) => fileURLToPath(new URL(name, import.meta.url));
const isBase = ({ adapters }) => adapters.every((adapter) => adapter < 0);

/** Splits a turn in two processes: runs without adapters, runs with. */
async function inTwoProcesses(turn, spec) {
  const parts = [
    { ...spec, adapters: [], runs: spec.runs.filter(isBase) },
    { ...spec, runs: spec.runs.filter((run) => !isBase(run)) },
  ].filter(({ runs }) => runs.length > 0);
  const results = [];
  for (const part of parts) results.push(...(await turn(part)).runs);
  return { runs: results };
}

/** llama.cpp without a server: what its library gives at most. It has no adapters. */
async function batchedBench(llama, model, spec) {
  const count = spec.prompts.length;
  const prompt = spec.prompts[0].length;
  const output = await runProgram(join(llama.bin, 'llama-batched-bench'), [
    ...['-m', model, '-c', String(count * (prompt + spec.newTokens)), '-b', '2048', '-ub', '512'],
    ...['-npp', String(prompt), '-ntg', String(spec.newTokens), '-npl', String(count)],
    ...['-t', String(availableParallelism()), '--output-format', 'jsonl'],
  ]);
  const { t_pp, t_tg } = JSON.parse(output.split('\n').find((line) => line.startsWith('{"n_kv_max"')));
  return { runs: [{ name: 'base', seconds: t_pp + t_tg, tokens: count * spec.newTokens }] };
}

/**
 * @param context the benchmark's; `peers` in it are what install.mjs gave
 * @param {string[]} adapters folders of PEFT adapters, all of rank `rank`
 * @returns {Promise<{ name: string, run: (spec: object) => Promise<{ runs: object[] }> }[]>} `spec` as in workload.mjs
 */
export async function servingSystems(context, adapters, rank) {
  const { vllm, peft, llama } = context.peers;
  const folder = context.peersFolder;
  const usable = (peer) => peer && !peer.reason;
  const systems = [];
  const base =
    usable(peft) && (await provideSafetensors({ folder, peft, gguf: context.model, config: context.config }));
  if (usable(vllm) && base) {
    const turn = (spec) => runTurn(context.scratch, vllm.python, [driver('vllm_turn.py')], spec);
    systems.push({ name: 'vllm', run: (spec) => inTwoProcesses(turn, { ...spec, model: base, rank }) });
  }
  if (base) {
    const turn = (spec) => runTurn(context.scratch, peft.python, [driver('peft_turn.py')], spec);
    systems.push({ name: 'peft', run: (spec) => turn({ ...spec, model: base }) });
  }
  if (usable(llama)) systems.push(...(await llamaSystems(context, base, adapters)));
  return systems;
}

async function llamaSystems(context, base, adapters) {
  const { peft, llama } = context.peers;
  const { peersFolder: folder, model: gguf, note } = context;
  const ggufs = await provideGgufs({ folder, llama, gguf });
  const server = join(llama.bin, 'llama-server');
  // LoRA files are converted with the packages of PEFT's environment; without it the server runs the base model only.
  const loras = base ? await provideLoraGgufs({ folder, llama, peft, base, adapters, note }) : [];
  const turn = (spec) => runTurn(context.scratch, process.execPath, [driver('llama-turn.mjs')], spec);
  const served = (spec) => ({ ...spec, server, model: ggufs.BF16, adapters: loras });
  const systems = [
    {
      name: 'llama.cpp server BF16',
      run: (spec) =>
        inTwoProcesses(turn, base ? served(spec) : { ...served(spec), runs: spec.runs.filter(isBase) }),
    },
  ];
  for (const [type, file] of Object.entries(ggufs)) {
    systems.push({ name: `llama.cpp batched ${type}`, run: (spec) => batchedBench(llama, file, spec) });
  }
  return systems;
}

/** One request alone: tokens per second of prefill and decode, per GGUF. @returns {Promise<{ name: string, run: (spec: { prompt: number, newTokens: number }) => Promise<{ prefill: number, decode: number }> }[]>} */
export async function singleRequestSystems(context) {
  const { llama } = context.peers;
  if (!llama || llama.reason) return [];
  const ggufs = await provideGgufs({ folder: context.peersFolder, llama, gguf: context.model });
  return Object.entries(ggufs).map(([type, file]) => ({
    name: `llama.cpp ${type}`,
    run: async ({ prompt, newTokens }) => {
      const output = await runProgram(join(llama.bin, 'llama-bench'), [
        ...['-m', file, '-p', String(prompt), '-n', String(newTokens), '-r', '1', '-o', 'json'],
        ...['-t', String(availableParallelism())],
      ]);
      const results = JSON.parse(output);
      const speed = (name) => results.find((result) => result[name] > 0).avg_ts;
      return { prefill: speed('n_prompt'), decode: speed('n_gen') };
    },
  }));
}
