#!/usr/bin/env node
/**
 * Copies the reference outputs of SmolLM2 into test/golden/smollm2, one prompt of the base model and one of each
 * adapter, without the tensors that only help to debug (`…/hidden`), so that the tests carry 0.1 MB instead of 8. Of
 * the logits of 49 152 tokens the largest stay and every 31st, which is in another place of each block and vector:
 *   node scripts/make-smollm2-golden.mjs FOLDER     with golden.json and golden.safetensors
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [source] = process.argv.slice(2);
if (!source) throw new Error('Expected the folder of golden.json and golden.safetensors.');
const LARGEST = 256;
const EVERY = 31;
const target = fileURLToPath(new URL('../test/golden/smollm2/', import.meta.url));

const file = readFileSync(join(source, 'golden.safetensors'));
const headerBytes = Number(file.readBigUInt64LE());
const { __metadata__: _, ...tensors } = JSON.parse(file.subarray(8, 8 + headerBytes).toString('utf8'));

const golden = JSON.parse(readFileSync(join(source, 'golden.json'), 'utf8'));
golden.cases = golden.cases.filter(({ name }) => name.endsWith('/0'));
const header = {};
const data = [];
let position = 0;
function add(name, dtype, values) {
  const bytes = Buffer.from(values.buffer);
  header[name] = { dtype, shape: [values.length], data_offsets: [position, position + bytes.length] };
  data.push(bytes);
  position += bytes.length;
}
for (const { name } of golden.cases) {
  const [from, to] = tensors[`${name}/logits`].data_offsets;
  const logits = new Float32Array(new Uint8Array(file.subarray(8 + headerBytes + from, 8 + headerBytes + to)).buffer);
  const ranked = [...logits.keys()].sort((a, b) => logits[b] - logits[a]);
  const largest = new Set(ranked.slice(0, LARGEST));
  const tokens = Int32Array.from([...logits.keys()].filter((token) => token % EVERY === 0 || largest.has(token)));
  add(`${name}/tokens`, 'I32', tokens);
  add(`${name}/logits`, 'F32', Float32Array.from(tokens, (token) => logits[token]));
}
// Padded with spaces, as the format asks, so that the data begins at a multiple of eight bytes.
const text = JSON.stringify(header);
const encoded = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
const length = Buffer.alloc(8);
length.writeBigUInt64LE(BigInt(encoded.length));

mkdirSync(target, { recursive: true });
writeFileSync(join(target, 'golden.safetensors'), Buffer.concat([length, encoded, ...data]));
writeFileSync(join(target, 'golden.json'), `${JSON.stringify(golden, null, 1)}\n`);
process.stdout.write(`${golden.cases.length} cases, ${position} bytes\n`);
