#!/usr/bin/env node
/**
 * Makes the seeds in test/fuzz/corpus from a folder of golden families (test/golden, or one with more of them):
 * their configurations as they are, their adapters cut to the shape of test/fuzz/fuzz_model.h, and a GGUF file with
 * a tensor of each type. Deterministic; regression inputs lie elsewhere and are not touched.
 *
 * Usage: node scripts/make-fuzz-corpus.mjs GOLDEN_FOLDER
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const source = process.argv[2];
if (!source) throw new Error('Usage: node scripts/make-fuzz-corpus.mjs GOLDEN_FOLDER');
const target = join(dirname(dirname(fileURLToPath(import.meta.url))), 'test', 'fuzz', 'corpus');
const families = readdirSync(source).filter((name) => existsSync(join(source, name, 'model', 'config.json')));
const adapters = join(source, 'llama2', 'adapters');

function write(folder, name, content) {
  mkdirSync(join(target, folder), { recursive: true });
  writeFileSync(join(target, folder, name), content);
}

/** test/fuzz/fuzz_model.h: [inputs, outputs] of each projection, and what the adapters there keep. */
const WIDTHS = {
  q_proj: [8, 8],
  k_proj: [8, 4],
  v_proj: [8, 4],
  o_proj: [8, 8],
  gate_proj: [8, 12],
  up_proj: [8, 12],
  down_proj: [12, 8],
};
const LAYERS = 2;
const RANK = 2;
const ELEMENT_BYTES = { F32: 4, F16: 2, BF16: 2 };

function readSafetensors(path) {
  const file = readFileSync(path);
  const headerBytes = Number(file.readBigUInt64LE());
  const { __metadata__: _, ...tensors } = JSON.parse(file.subarray(8, 8 + headerBytes).toString('utf8'));
  return Object.entries(tensors).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [begin, end],
      },
    ]) => ({
      name,
      dtype,
      shape,
      data: file.subarray(8 + headerBytes + begin, 8 + headerBytes + end),
    }),
  );
}

function safetensors(tensors) {
  let offset = 0;
  const header = { __metadata__: { format: 'pt' } };
  for (const { name, dtype, shape, data } of tensors)
    header[name] = { dtype, shape, data_offsets: [offset, (offset += data.length)] };
  const json = JSON.stringify(header);
  const padded = json.padEnd(Math.ceil(json.length / 8) * 8);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([size, Buffer.from(padded), ...tensors.map(({ data }) => data)]);
}

/** The first rows and columns of a tensor; a smaller one is repeated. */
function cut({ name, dtype, shape, data }, wanted) {
  const width = ELEMENT_BYTES[dtype];
  const [rows, columns = 1] = wanted;
  const values = Buffer.alloc(rows * columns * width);
  for (let row = 0; row < rows; row += 1)
    for (let column = 0; column < columns; column += 1) {
      const from = ((row % shape[0]) * (shape[1] ?? 1) + (column % (shape[1] ?? 1))) * width;
      data.copy(values, (row * columns + column) * width, from, from + width);
    }
  return { name, dtype, shape: wanted, data: values };
}

function cutAdapter(kind) {
  const kept = [];
  for (const tensor of readSafetensors(join(adapters, kind, 'adapter_model.safetensors'))) {
    const match = /layers\.(\d+)\.\w+\.(\w+)\.lora_(A|B|magnitude_vector)/.exec(tensor.name);
    if (!match || Number(match[1]) >= LAYERS) continue;
    const [inputs, outputs] = WIDTHS[match[2]];
    const shapes = { A: [RANK, inputs], B: [outputs, RANK], magnitude_vector: [outputs] };
    kept.push(cut(tensor, shapes[match[3]]));
  }
  return safetensors(kept);
}

function writeAdapters() {
  const all = JSON.parse(readFileSync(join(adapters, 'all-r8', 'adapter_config.json'), 'utf8'));
  write('peft_config', 'all-r2.json', `${JSON.stringify({ ...all, r: RANK }, null, 1)}\n`);
  write(
    'peft_config',
    'regex.json',
    `${JSON.stringify({ peft_type: 'LORA', r: RANK, lora_alpha: 4, target_modules: '.*\\.(?:[qkvo]|gate|up|down)_proj', rank_pattern: { '^model\\.layers\\.[01]\\..*': RANK } })}\n`,
  );
  write('peft_config', 'activated.json', `${JSON.stringify({ ...all, r: RANK, alora_invocation_tokens: [1, 0, 1] })}\n`);
  write('peft_config', 'trained-tokens.json', `${JSON.stringify({ ...all, r: RANK, trainable_token_indices: { embed_tokens: [3, 1], lm_head: [2] } })}\n`);
  for (const kind of readdirSync(adapters)) {
    const config = readFileSync(join(adapters, kind, 'adapter_config.json'));
    write('peft_config', `${kind}.json`, config);
    const name = kind === 'all-r8' ? 'all-r2' : kind;
    write('peft_tensors', `${name}.safetensors`, cutAdapter(kind));
    if (['all-r8', 'rs-r32', 'o-r3'].includes(kind))
      write('safetensors', `${name}.safetensors`, cutAdapter(kind));
  }
  write('safetensors', 'none.safetensors', safetensors([]));
}

/** Of every quantized model the matrices that make keys and values, or those of experts in MXFP4. */
function writeQuantized() {
  for (const family of families) {
    const model = join(source, family, 'model');
    if (!JSON.parse(readFileSync(join(model, 'config.json'), 'utf8')).quantization_config) continue;
    const kept = readSafetensors(join(model, 'model.safetensors')).filter(({ name }) =>
      /layers\.0\.(self_attn\.(k|v|qkv)_proj\.(?!bias)|mlp\.experts\.down_proj_(blocks|scales))/.test(name),
    );
    write('quantized', `${family}.safetensors`, safetensors(kept));
  }
}

const u32 = (value) => Buffer.from(Uint32Array.of(value).buffer);
const u64 = (value) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const f32 = (value) => Buffer.from(Float32Array.of(value).buffer);
const text = (value) => Buffer.concat([u64(value.length), Buffer.from(value)]);

/** ggml's type number, values and bytes of a block. */
const GGML = {
  f32: [0, 1, 4],
  f16: [1, 1, 2],
  q4_0: [2, 32, 18],
  q4_1: [3, 32, 20],
  q8_0: [8, 32, 34],
  q2_k: [10, 256, 84],
  q3_k: [11, 256, 110],
  q4_k: [12, 256, 144],
  q5_k: [13, 256, 176],
  q6_k: [14, 256, 210],
  iq4_nl: [20, 32, 18],
  iq4_xs: [23, 256, 136],
  bf16: [30, 1, 2],
  mxfp4: [39, 32, 17],
};

function gguf(keys, tensors) {
  let offset = 0;
  const heads = [];
  const data = [];
  tensors.forEach(([name, type, sizes], index) => {
    const [number, block, blockBytes] = GGML[type];
    const bytes = (sizes.reduce((product, size) => product * size, 1) / block) * blockBytes;
    heads.push(text(name), u32(sizes.length), ...sizes.map(u64), u32(number), u64(offset));
    data.push(Buffer.from({ length: Math.ceil(bytes / 32) * 32 }, (_, i) => (i * 7 + index) % 61));
    offset += data.at(-1).length;
  });
  const head = Buffer.concat([
    ...[Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(keys.length)],
    ...keys.flatMap(([key, type, ...value]) => [text(key), u32(type), ...value]),
    ...heads,
  ]);
  return Buffer.concat([head, Buffer.alloc((32 - (head.length % 32)) % 32), ...data]);
}

function writeGguf() {
  const keys = (architecture) => [
    ['general.architecture', 8, text(architecture)],
    ['general.alignment', 4, u32(32)],
    [`${architecture}.embedding_length`, 4, u32(32)],
    [`${architecture}.feed_forward_length`, 4, u32(64)],
    [`${architecture}.block_count`, 4, u32(1)],
    [`${architecture}.attention.head_count`, 4, u32(4)],
    [`${architecture}.attention.head_count_kv`, 4, u32(2)],
    [`${architecture}.context_length`, 10, u64(64)],
    [`${architecture}.attention.layer_norm_rms_epsilon`, 6, f32(1e-5)],
    [`${architecture}.rope.scaling.type`, 8, text('yarn')],
    ['tokenizer.ggml.tokens', 9, u32(8), u64(2), text('a'), text('bc')],
    ['tokenizer.ggml.scores', 9, u32(6), u64(2), f32(0.5), f32(-1)],
    ['tokenizer.ggml.eos_token_id', 4, u32(2)],
    ['tokenizer.ggml.add_bos_token', 7, Buffer.from([1])],
  ];
  const tensors = [
    ['token_embd.weight', 'q8_0', [32, 16]],
    ['output_norm.weight', 'f32', [32]],
    ['blk.0.attn_q.weight', 'q4_0', [32, 4]],
    ['blk.0.attn_k.weight', 'q4_1', [32, 2]],
    ['blk.0.attn_v.weight', 'f16', [32, 2]],
    ['blk.0.attn_output.weight', 'bf16', [32, 2]],
    ['blk.0.ffn_gate.weight', 'q4_k', [256, 1]],
    ['blk.0.ffn_up.weight', 'q5_k', [256, 1]],
    ['blk.0.ffn_down.weight', 'q6_k', [256, 1]],
    ['blk.1.ffn_gate.weight', 'q2_k', [256, 1]],
    ['blk.1.ffn_up.weight', 'q3_k', [256, 1]],
    ['blk.1.ffn_down.weight', 'iq4_xs', [256, 1]],
    ['rope_freqs.weight', 'f32', [4]],
  ];
  for (const architecture of ['llama', 'qwen3'])
    write('gguf', `${architecture}.gguf`, gguf(keys(architecture), tensors));
  const hybrid = {
    ...{ full_attention_interval: 2, expert_count: 4, expert_used_count: 2, expert_feed_forward_length: 8 },
    ...{
      'ssm.conv_kernel': 4,
      'ssm.state_size': 8,
      'ssm.group_count': 2,
      'ssm.time_step_rank': 6,
      'ssm.inner_size': 48,
    },
  };
  const more = [
    ...Object.entries(hybrid).map(([key, value]) => [`qwen35moe.${key}`, 4, u32(value)]),
    ['qwen35moe.attention.recurrent_layers', 9, u32(7), u64(1), Buffer.from([0])],
  ];
  write('gguf', 'qwen35moe.gguf', gguf([...keys('qwen35moe'), ...more], tensors));
  write('gguf', 'gemma4.gguf', gguf(metadata('gemma4', GEMMA4), gemma4Tensors()));
  write('gguf', 'deepseek2.gguf', gguf(metadata('deepseek2', DEEPSEEK2), deepseek2Tensors()));
  write('gguf', 'none.gguf', gguf([], []));
}

/** Numbers, and lists of numbers or flags. */
function metadata(architecture, values) {
  const keys = Object.entries(values).map(([key, value]) => {
    const name = `${architecture}.${key}`;
    if (!Array.isArray(value)) return [name, 4, u32(value)];
    const flags = typeof value[0] === 'boolean';
    return [
      name,
      9,
      u32(flags ? 7 : 4),
      u64(value.length),
      ...value.map((one) => (flags ? Buffer.from([one]) : u32(one))),
    ];
  });
  return [['general.architecture', 8, text(architecture)], ...keys];
}

/** Whole models, so that weights are loaded too: layers of two shapes with experts, and latent attention. */
const GEMMA4 = {
  ...{ embedding_length: 8, block_count: 2, 'attention.head_count': 2, 'attention.head_count_kv': [2, 1] },
  ...{
    feed_forward_length: [4, 4],
    'attention.key_length': 4,
    'attention.key_length_swa': 2,
    'rope.dimension_count': 4,
  },
  ...{
    'attention.sliding_window': 3,
    'attention.sliding_window_pattern': [true, false],
    'attention.shared_kv_layers': 0,
  },
  ...{
    embedding_length_per_layer_input: 2,
    expert_count: 2,
    expert_used_count: 1,
    expert_feed_forward_length: 4,
  },
};
const DEEPSEEK2 = {
  ...{
    embedding_length: 32,
    block_count: 1,
    feed_forward_length: 32,
    'attention.head_count': 1,
    'attention.head_count_kv': 1,
  },
  ...{ 'attention.kv_lora_rank': 32, 'attention.q_lora_rank': 32, 'attention.key_length_mla': 40 },
  ...{ 'attention.value_length_mla': 32, 'rope.dimension_count': 8, expert_count: 2, expert_used_count: 1 },
  ...{ expert_feed_forward_length: 32 },
};

/** [name, sizes], of type f32 unless a third entry says otherwise. */
const inLayer = (layer, tensors) =>
  tensors.map(([name, sizes, type]) => [`blk.${layer}.${name}`, type ?? 'f32', sizes]);

function gemma4Tensors() {
  const norms =
    'attn_norm.weight post_attention_norm.weight ffn_norm.weight post_ffw_norm.weight pre_ffw_norm_2.weight';
  const more = 'post_ffw_norm_1.weight post_ffw_norm_2.weight post_norm.weight ffn_gate_inp.scale';
  const layers = [0, 1].flatMap((layer) => {
    const [dim, heads] = layer === 0 ? [2, 2] : [4, 1];
    const values = layer === 0 ? [['attn_v.weight', [8, heads * dim]]] : [];
    return inLayer(layer, [
      ...`${norms} ${more}`.split(' ').map((name) => [name, [8]]),
      ...['attn_q_norm.weight', 'attn_k_norm.weight'].map((name) => [name, [dim]]),
      ...[
        ['attn_q.weight', [8, 2 * dim]],
        ['attn_k.weight', [8, heads * dim]],
        ...values,
        ['attn_output.weight', [2 * dim, 8]],
      ],
      ...[
        ['ffn_gate.weight', [8, 4]],
        ['ffn_up.weight', [8, 4]],
        ['ffn_down.weight', [4, 8]],
        ['ffn_gate_inp.weight', [8, 2]],
      ],
      ...[
        ['ffn_gate_up_exps.weight', [8, 8, 2]],
        ['ffn_down_exps.weight', [4, 8, 2]],
        ['ffn_down_exps.scale', [2]],
      ],
      ...[
        ['inp_gate.weight', [8, 2]],
        ['proj.weight', [2, 8]],
        ['layer_output_scale.weight', [1]],
      ],
    ]);
  });
  const top = [
    ['per_layer_model_proj.weight', [8, 4]],
    ['per_layer_proj_norm.weight', [2]],
    ['output_norm.weight', [8]],
  ];
  const embeddings = [
    ['token_embd.weight', [8, 3]],
    ['per_layer_token_embd.weight', [4, 3]],
  ];
  return [...[...embeddings, ...top].map(([name, sizes]) => [name, 'f32', sizes]), ...layers];
}

function deepseek2Tensors() {
  const square = (types) =>
    Object.entries(types).map(([name, type]) => [
      `${name}.weight`,
      [32, 32, ...(name.endsWith('exps') ? [2] : [])],
      type,
    ]);
  const attention = [
    ...['attn_norm.weight', 'attn_q_a_norm.weight', 'attn_kv_a_norm.weight', 'ffn_norm.weight'].map(
      (name) => [name, [32]],
    ),
    ...[
      ['attn_q_a.weight', [32, 32], 'q4_0'],
      ['attn_q_b.weight', [32, 40], 'q4_1'],
      ['attn_kv_a_mqa.weight', [32, 40], 'q8_0'],
    ],
    ...[
      ['attn_k_b.weight', [32, 32, 1], 'q8_0'],
      ['attn_v_b.weight', [32, 32, 1], 'iq4_nl'],
      ['attn_output.weight', [32, 32], 'mxfp4'],
    ],
  ];
  const experts = {
    ffn_gate_exps: 'q4_0',
    ffn_up_exps: 'iq4_nl',
    ffn_down_exps: 'mxfp4',
    ffn_gate_shexp: 'q4_0',
    ffn_up_shexp: 'q4_0',
    ffn_down_shexp: 'q4_0',
  };
  return [
    ...[
      ['token_embd.weight', 'q8_0', [32, 3]],
      ['output.weight', 'iq4_nl', [32, 3]],
      ['output_norm.weight', 'f32', [32]],
    ],
    ...inLayer(0, [
      ...attention,
      ['ffn_gate_inp.weight', [32, 2]],
      ['exp_probs_b.bias', [2]],
      ...square(experts),
    ]),
  ];
}

const REGEXES = [
  ['.*\\.(q|v)_proj', 'model.layers.0.self_attn.q_proj'],
  ['(.*\\.)?(layers\\.(?:[0-2])\\..*k_proj)$', 'model.layers.1.self_attn.k_proj'],
  ['^model\\.(?!layers\\.1\\.)(?P<rest>\\w+\\.){2,5}?[^.]+$', 'model.layers.0.mlp.up_proj'],
  ['\\A(a|ab)(c|bcd)(d*)\\b\\Z', 'abcd'],
  ['(?=.*\\d)[\\w.-]+\\B.{0,3}', 'layers.10.x'],
  ['[]^a-c\\]\\-]*(x{3}|y{,2}|z{1,})?', 'a]b'],
  ['((a*)*)*|b+', 'aaaaaaaaaaaaaaaaaaaaac'],
];

function writeTexts() {
  for (const family of families) {
    const config = readFileSync(join(source, family, 'model', 'config.json'));
    write('model_config', `${family}.json`, config);
  }
  write('json', 'config.json', readFileSync(join(source, 'llama2', 'model', 'config.json')));
  write(
    'json',
    'values.json',
    '{"a":[1,-2.5,1e3,0,true,false,null,"\\u00e9\\ud83d\\ude00\\n"],"":{"b":[[[]]]}}',
  );
  REGEXES.forEach(([pattern, subject], index) =>
    write('python_regex', `${index + 1}.txt`, `${pattern}\n${subject}`),
  );
}

rmSync(target, { recursive: true, force: true });
writeAdapters();
writeGguf();
writeQuantized();
writeTexts();
