/**
 * Random PEFT adapters of a given rank for a Llama-shaped model: every projection, bf16, N(0, 0.02²).
 * Random, because zeros hide unwritten outputs and can run faster than real data.
 */
import { mkdirSync, writeFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { gaussianBf16, uniform } from './random.mjs';

const PROJECTIONS = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

/** Output and input width of each projection. `model` is the engine's ModelInfo. */
export function projectionShapes(model) {
  const { hiddenSize: d, intermediateSize: f, headDim } = model;
  const q = model.heads * headDim;
  const kv = model.kvHeads * headDim;
  const widths = {
    q_proj: [q, d],
    k_proj: [kv, d],
    v_proj: [kv, d],
    o_proj: [d, q],
    gate_proj: [f, d],
    up_proj: [f, d],
    down_proj: [d, f],
  };
  return PROJECTIONS.map((name) => [
    `${/[qkvo]_/.test(name) ? 'self_attn' : 'mlp'}.${name}`,
    ...widths[name],
  ]);
}

/** Writes one adapter into `folder` unless it is there. */
export function writeRandomAdapter(folder, model, rank, seed) {
  if (existsSync(join(folder, 'adapter_config.json'))) return;
  const next = uniform(seed);
  const header = {};
  const chunks = [];
  let offset = 0;
  const add = (name, shape) => {
    const values = gaussianBf16(shape[0] * shape[1], 0.02, next);
    header[name] = { dtype: 'BF16', shape, data_offsets: [offset, offset + values.byteLength] };
    offset += values.byteLength;
    chunks.push(Buffer.from(values.buffer));
  };
  for (let layer = 0; layer < model.layers; layer++) {
    for (const [module, out, input] of projectionShapes(model)) {
      const name = `base_model.model.model.layers.${layer}.${module}`;
      add(`${name}.lora_A.weight`, [rank, input]);
      add(`${name}.lora_B.weight`, [out, rank]);
    }
  }
  let json = JSON.stringify(header);
  json = json.padEnd(Math.ceil(json.length / 8) * 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'adapter_model.safetensors'),
    Buffer.concat([length, Buffer.from(json), ...chunks]),
  );
  const config = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    r: rank,
    lora_alpha: rank,
    bias: 'none',
    target_modules: PROJECTIONS,
  };
  writeFileSync(join(folder, 'adapter_config.json'), JSON.stringify(config, null, 1));
}

/**
 * Folders of `ranks.length` distinct adapters, kept in the cache: the n-th has rank `ranks[n]`. `model` is the
 * engine's ModelInfo.
 */
export function provideAdapters(cache, model, ranks) {
  return ranks.map((rank, i) => {
    const folder = join(cache, 'bench', `${model.hiddenSize}x${model.layers}-r${rank}`, `a${i}`);
    writeRandomAdapter(folder, model, rank, i + 1);
    return folder;
  });
}
