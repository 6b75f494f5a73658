#!/usr/bin/env node
/**
 * Makes test/fixtures/stories260k from a folder that has llama2.c's `tokenizer.bin`, `config.json` and
 * `model.safetensors`: a Hugging Face `tokenizer.json` with the same tokens and merges, a chat template, and two
 * small random LoRA adapters. Deterministic, so that a second run changes nothing.
 *
 * Usage: node scripts/make-stories260k.mjs SOURCE_FOLDER
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const target = join(dirname(dirname(fileURLToPath(import.meta.url))), 'test', 'fixtures', 'stories260k');
const source = process.argv[2];
if (!source) throw new Error('Usage: node scripts/make-stories260k.mjs SOURCE_FOLDER');

const SPECIAL = ['<unk>', '<s>', '</s>'];

/** llama2.c's file: int32 longest token, then per token float32 score, int32 length, bytes. */
function readTokenizerBin(path) {
  const file = readFileSync(path);
  const pieces = [];
  for (let at = 4; at < file.length;) {
    const length = file.readInt32LE(at + 4);
    pieces.push(file.toString('utf8', at + 8, at + 8 + length));
    at += 8 + length;
  }
  // The exporter writes the sentencepiece space mark as a plain space and decorates the special tokens.
  return pieces.map((piece, id) => SPECIAL[id] ?? piece.replaceAll(' ', '▁'));
}

/**
 * Sentencepiece stores only the merged pieces, the best score first; Hugging Face wants the pairs. Every way to
 * cut a piece into two known pieces is a merge of that piece's rank.
 */
function mergesOf(pieces) {
  const ids = new Map(pieces.map((piece, id) => [piece, id]));
  const merges = [];
  for (const piece of pieces) {
    const letters = [...piece];
    if (letters.length < 2 || SPECIAL.includes(piece) || /^<0x[0-9A-F]{2}>$/.test(piece)) continue;
    const cuts = letters
      .slice(1)
      .map((_, i) => [letters.slice(0, i + 1).join(''), letters.slice(i + 1).join('')]);
    const known = cuts.filter((cut) => cut.every((half) => ids.has(half)));
    known.sort((a, b) => ids.get(a[0]) - ids.get(b[0]) || ids.get(a[1]) - ids.get(b[1]));
    merges.push(...known);
  }
  return merges;
}

function tokenizerJson(pieces) {
  const special = (id) => ({
    id,
    content: SPECIAL[id],
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIAL.map((_, id) => special(id)),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [
        { SpecialToken: { id: '<s>', type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '<s>', type_id: 1 } },
        { Sequence: { id: 'B', type_id: 1 } },
      ],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: '<unk>',
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
      merges: mergesOf(pieces).map((pair) => pair.join(' ')),
    },
  };
}

/** Small, fast, seeded: mulberry32, and a near-normal value as a sum of uniforms. */
function randomSource(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => uniform() + uniform() + uniform() + uniform() - 2;
}

function writeSafetensors(path, tensors) {
  let offset = 0;
  const header = { __metadata__: { format: 'pt' } };
  for (const { name, shape, values } of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, (offset += values.byteLength)] };
  }
  const json = JSON.stringify(header);
  const padded = json.padEnd(Math.ceil(json.length / 8) * 8);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(padded.length));
  writeFileSync(
    path,
    Buffer.concat([size, Buffer.from(padded), ...tensors.map(({ values }) => Buffer.from(values.buffer))]),
  );
}

const WIDTHS = {
  q_proj: [64, 64],
  k_proj: [64, 32],
  v_proj: [64, 32],
  o_proj: [64, 64],
  gate_proj: [64, 172],
  up_proj: [64, 172],
  down_proj: [172, 64],
};

function makeAdapter(name, { rank, alpha, targets, seed, size }) {
  const random = randomSource(seed);
  const matrix = (rows, columns, scale) =>
    Float32Array.from({ length: rows * columns }, () => random() * scale);
  const tensors = [];
  for (let layer = 0; layer < 5; layer += 1) {
    for (const target of targets) {
      const [wide, out] = WIDTHS[target];
      const part = /gate|up|down/.test(target) ? 'mlp' : 'self_attn';
      const stem = `base_model.model.model.layers.${layer}.${part}.${target}`;
      tensors.push({
        name: `${stem}.lora_A.weight`,
        shape: [rank, wide],
        values: matrix(rank, wide, size / Math.sqrt(wide)),
      });
      tensors.push({
        name: `${stem}.lora_B.weight`,
        shape: [out, rank],
        values: matrix(out, rank, size / Math.sqrt(rank)),
      });
    }
  }
  const folder = join(target, 'adapters', name);
  mkdirSync(folder, { recursive: true });
  const config = {
    base_model_name_or_path: 'stories260k',
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: alpha,
    lora_dropout: 0,
    modules_to_save: null,
    peft_type: 'LORA',
    r: rank,
    rank_pattern: {},
    alpha_pattern: {},
    target_modules: targets,
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: false,
  };
  writeFileSync(join(folder, 'adapter_config.json'), `${JSON.stringify(config, null, 2)}\n`);
  writeSafetensors(join(folder, 'adapter_model.safetensors'), tensors);
}

mkdirSync(target, { recursive: true });
for (const file of ['config.json', 'model.safetensors']) {
  writeFileSync(join(target, file), readFileSync(join(source, file)));
}
const pieces = readTokenizerBin(join(source, 'tokenizer.bin'));
const write = (name, value) => writeFileSync(join(target, name), `${JSON.stringify(value, null, 1)}\n`);
write('tokenizer.json', tokenizerJson(pieces));
write('tokenizer_config.json', {
  tokenizer_class: 'LlamaTokenizer',
  bos_token: '<s>',
  eos_token: '</s>',
  unk_token: '<unk>',
  add_bos_token: true,
  add_eos_token: false,
});
write('generation_config.json', { bos_token_id: 1, eos_token_id: 2 });
writeFileSync(
  join(target, 'chat_template.jinja'),
  "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% if not loop.last %}{{ '\\n' }}{% endif %}{% endfor %}",
);
makeAdapter('a', { rank: 4, alpha: 8, targets: ['q_proj', 'v_proj'], seed: 11, size: 1 });
makeAdapter('b', { rank: 16, alpha: 16, targets: Object.keys(WIDTHS), seed: 22, size: 0.6 });
