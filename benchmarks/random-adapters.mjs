/**
 * Random PEFT adapters of a given rank for a Llama-shaped model: every projection, bf16, N(0, 0.02²).
 * Random, because zeros hide unwritten outputs and can run faster than real data.
 */
import { mkdirSync, writeFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';

const PROJECTIONS = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

/** mulberry32: small, seedable, good enough for weights. */
function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t ^= t + Math.imul(t ^ (t >>> 7), 61 | t);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** [count] bf16 values as bytes, by Box–Muller. */
function gaussianBf16(count, scale, next) {
  const values = new Float32Array(count + 1);
  for (let i = 0; i < count; i += 2) {
    const radius = scale * Math.sqrt(-2 * Math.log(1 - next()));
    const angle = 2 * Math.PI * next();
    values[i] = radius * Math.cos(angle);
    values[i + 1] = radius * Math.sin(angle);
  }
  const bits = new Uint32Array(values.buffer);
  return Uint16Array.from({ length: count }, (_, i) => bits[i] >>> 16);
}

/** Output and input width of each projection. `model` is the engine's ModelInfo. */
function shapes(model) {
  const { hiddenSize: d, intermediateSize: f, headDim } = model;
  const q = model.heads * headDim;
  const kv = model.kvHeads * headDim;
  const widths = { q_proj: [q, d], k_proj: [kv, d], v_proj: [kv, d], o_proj: [d, q], gate_proj: [f, d], up_proj: [f, d], down_proj: [d, f] };
  return PROJECTIONS.map((name) => [`${/[qkvo]_/.test(name) ? 'self_attn' : 'mlp'}.${name}`, ...widths[name]]);
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
    for (const [module, out, input] of shapes(model)) {
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
  writeFileSync(join(folder, 'adapter_model.safetensors'), Buffer.concat([length, Buffer.from(json), ...chunks]));
  const config = { peft_type: 'LORA', task_type: 'CAUSAL_LM', r: rank, lora_alpha: rank, bias: 'none', target_modules: PROJECTIONS };
  writeFileSync(join(folder, 'adapter_config.json'), JSON.stringify(config, null, 1));
}
