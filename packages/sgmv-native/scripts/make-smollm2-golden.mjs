#!/usr/bin/env node
/**
 * Copies the reference outputs of SmolLM2 into test/golden/smollm2, one prompt of the base model and one of each
 * adapter, without the tensors that only help to debug (`…/hidden`), so that the tests carry 1.4 MB instead of 8:
 *   node scripts/make-smollm2-golden.mjs FOLDER     with golden.json and golden.safetensors
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [source] = process.argv.slice(2);
if (!source) throw new Error('Expected the folder of golden.json and golden.safetensors.');
const target = fileURLToPath(new URL('../test/golden/smollm2/', import.meta.url));

const file = readFileSync(join(source, 'golden.safetensors'));
const headerBytes = Number(file.readBigUInt64LE());
const { __metadata__: _, ...tensors } = JSON.parse(file.subarray(8, 8 + headerBytes).toString('utf8'));

const golden = JSON.parse(readFileSync(join(source, 'golden.json'), 'utf8'));
golden.cases = golden.cases.filter(({ name }) => name.endsWith('/0'));
const logits = new Set(golden.cases.map(({ name }) => `${name}/logits`));
const kept = Object.entries(tensors).filter(([name]) => logits.has(name));
const header = {};
const data = [];
let position = 0;
for (const [name, { dtype, shape, data_offsets: [from, to] }] of kept) {
  header[name] = { dtype, shape, data_offsets: [position, position + to - from] };
  data.push(file.subarray(8 + headerBytes + from, 8 + headerBytes + to));
  position += to - from;
}
// Padded with spaces, as the format asks, so that the data begins at a multiple of eight bytes.
const text = JSON.stringify(header);
const encoded = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
const length = Buffer.alloc(8);
length.writeBigUInt64LE(BigInt(encoded.length));

mkdirSync(target, { recursive: true });
writeFileSync(join(target, 'golden.safetensors'), Buffer.concat([length, encoded, ...data]));
writeFileSync(join(target, 'golden.json'), `${JSON.stringify(golden, null, 1)}\n`);
process.stdout.write(`${kept.length} tensors, ${position} bytes\n`);
