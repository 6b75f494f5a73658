/**
 * A Llama of any shape with random weights, as bf16 safetensors: for figures at sizes whose real weights are not
 * here. Written piece by piece, so that it never is in memory as a whole.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { gaussianBf16, uniform } from './random.mjs';

/** Llama 3.2 1B. */
export const LLAMA_1B = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  vocab_size: 128256,
  hidden_size: 2048,
  intermediate_size: 8192,
  num_hidden_layers: 16,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  head_dim: 64,
  max_position_embeddings: 8192,
  rms_norm_eps: 1e-5,
  rope_theta: 500000,
  tie_word_embeddings: true,
  hidden_act: 'silu',
  torch_dtype: 'bfloat16',
  bos_token_id: 128000,
  eos_token_id: 128001,
};

function tensorShapes(config) {
  const { hidden_size: d, intermediate_size: f, head_dim: head } = config;
  const q = config.num_attention_heads * head;
  const kv = config.num_key_value_heads * head;
  const shapes = { 'model.embed_tokens.weight': [config.vocab_size, d], 'model.norm.weight': [d] };
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = {
      input_layernorm: [d],
      post_attention_layernorm: [d],
      'self_attn.q_proj': [q, d],
      'self_attn.k_proj': [kv, d],
      'self_attn.v_proj': [kv, d],
      'self_attn.o_proj': [d, q],
      'mlp.gate_proj': [f, d],
      'mlp.up_proj': [f, d],
      'mlp.down_proj': [d, f],
    };
    for (const [name, shape] of Object.entries(layer)) shapes[`model.layers.${i}.${name}.weight`] = shape;
  }
  return shapes;
}

const BYTES = Uint16Array.BYTES_PER_ELEMENT;
const POOL = 1 << 22;
const BF16_ONE = 0x3f80;

/**
 * Rows start at random places of a pool of N(0, 0.02²) numbers: drawing a billion of them one by one would take
 * minutes, and no two rows are alike this way either.
 */
function writeRows(file, count, width, pool, next) {
  for (let row = 0; row < count; row++) {
    const begin = Math.floor(next() * (POOL - width));
    writeSync(file, new Uint8Array(pool.buffer, begin * BYTES, width * BYTES));
  }
}

function writeWeights(path, config) {
  const shapes = tensorShapes(config);
  const header = {};
  let offset = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const end = offset + shape.reduce((a, b) => a * b, BYTES);
    header[name] = { dtype: 'BF16', shape, data_offsets: [offset, end] };
    offset = end;
  }
  let json = JSON.stringify(header);
  json = json.padEnd(Math.ceil(json.length / 8) * 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const next = uniform(1);
  const pool = gaussianBf16(POOL, 0.02, next);
  const file = openSync(path, 'w');
  try {
    writeSync(file, length);
    writeSync(file, json);
    for (const shape of Object.values(shapes)) {
      if (shape.length === 1) writeSync(file, new Uint16Array(shape[0]).fill(BF16_ONE));
      else writeRows(file, ...shape, pool, next);
    }
  } finally {
    closeSync(file);
  }
}

const sizeOf = (config) =>
  Object.values(tensorShapes(config)).reduce(
    (total, shape) => total + shape.reduce((a, b) => a * b, BYTES),
    0,
  );

/** The model's folder; written first if it is not there. Throws when the disk has no room for it. */
export function provideRandomModel(folder, config, note) {
  const weights = join(folder, 'model.safetensors');
  if (existsSync(weights)) return folder;
  mkdirSync(folder, { recursive: true });
  const { bavail, bsize } = statfsSync(dirname(weights));
  const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(1)} GB`;
  const size = sizeOf(config);
  if (bavail * bsize < size + 1e9) {
    throw new Error(
      `${folder}: a random model takes ${gigabytes(size)}, and ${gigabytes(bavail * bsize)} are free.`,
    );
  }
  note(`writing a random model of ${gigabytes(size)} into ${folder}`);
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config, null, 1));
  writeWeights(`${weights}.part`, config);
  renameSync(`${weights}.part`, weights);
  return folder;
}
