/** The `sgmv` command as a person runs it. Needs the built dist/, as `npm test` provides it. */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ColumnView } from '../lib/cli/column-view.js';
import { displayWidth, sanitize, wrap } from '../lib/cli/text-layout.js';
import {
  exampleAdapter,
  goldenFolder,
  hasSmollm2,
  packageFolder,
  smollm2Weights,
  stories,
  storiesAdapter,
} from './places.js';

interface Result {
  status: number | null;
  out: string;
  err: string;
}

type OnOut = (out: string, kill: (signal: NodeJS.Signals) => void) => void;

function sgmv(args: string[], { input = '', onOut = undefined as OnOut | undefined } = {}): Promise<Result> {
  const env = { ...process.env, ...(hasSmollm2 && { ARIL_MODEL_WEIGHTS: smollm2Weights }) };
  const child = spawn(process.execPath, [join(packageFolder, 'bin/sgmv.mjs'), ...args], {
    cwd: packageFolder,
    env,
  });
  const result: Result = { status: null, out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    result.out += text;
    onOut?.(result.out, (signal) => child.kill(signal));
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (result.err += text));
  child.stdin.end(input);
  return new Promise((resolve) => child.on('close', (status) => resolve({ ...result, status })));
}

const generate = (...args: string[]): string[] => [
  'generate',
  '--model',
  stories,
  '--prompt',
  'Once upon a time',
  ...args,
];

describe('generate', () => {
  test('streams the text alone to standard output', async () => {
    const { status, out, err } = await sgmv(generate('--max-tokens', '30'));
    expect(status).toBe(0);
    expect(out).toMatch(/^, there was a .*\n$/s);
    expect(err).toMatch(/30 tokens in .* tokens\/s, length/);
  });

  test('several adapters in order, each under its name', async () => {
    const args = [
      '-a',
      storiesAdapter('a'),
      '-a',
      `second=${storiesAdapter('b')}`,
      '--base',
      '--max-tokens',
      '12',
    ];
    const { status, out } = await sgmv(generate(...args));
    expect(status).toBe(0);
    expect([...out.matchAll(/^== (.*) ==$/gm)].map(([, title]) => title)).toEqual([
      'base model',
      'a',
      'second',
    ]);
  });

  test('several answers to one prompt, each under its number', async () => {
    const args = ['--n', '2', '-a', storiesAdapter('a'), '--temperature', '1', '--max-tokens', '8'];
    const { status, out, err } = await sgmv(generate(...args));
    expect(status).toBe(0);
    expect([...out.matchAll(/^== (.*) ==$/gm)].map(([, title]) => title)).toEqual(['a #1', 'a #2']);
    expect(err).toMatch(/^a #1: 8 tokens.*\na #2: 8 tokens/);
  });

  test('penalties, bias, minimum and log-probabilities reach the engine', async () => {
    const args = [
      '--logit-bias',
      '300=100',
      '--logit-bias',
      '301=-100',
      '--min-tokens',
      '4',
      '--max-tokens',
      '4',
    ];
    const { status, out } = await sgmv(
      generate(...args, '--logprobs', '2', '--json', '--presence-penalty', '0.5'),
    );
    expect(status).toBe(0);
    const { results } = JSON.parse(out) as {
      results: { tokens: number[]; logprobs: { top: unknown[] }[] }[];
    };
    expect(results[0]?.tokens).toEqual([300, 300, 300, 300]);
    expect(results[0]?.logprobs.map(({ top }) => top.length)).toEqual([2, 2, 2, 2]);
    expect((await sgmv(generate('--logprobs', '2'))).err).toContain('--logprobs: found no --json');
    expect((await sgmv(generate('--logit-bias', 'x=1'))).err).toContain('expected TOKEN=BIAS');
  });

  test('JSON, a seed, a stop string, a prompt from standard input', async () => {
    const args = ['--json', '--temperature', '1', '--seed', '4', '--max-tokens', '20'];
    const [first, again] = await Promise.all([1, 2].map(() => sgmv(generate(...args))));
    const { results } = JSON.parse(first?.out ?? '');
    expect(results).toHaveLength(1);
    expect(results[0]).toMatchObject({ finishReason: 'length', completionTokens: 20, adapter: null });
    expect(JSON.parse(again?.out ?? '').results[0].text).toBe(results[0].text);
    const stop: string = results[0].text.slice(10, 14);
    const piped = await sgmv(['generate', '--model', stories, '--prompt', '-', ...args, '--stop', stop], {
      input: 'Once upon a time\n',
    });
    expect(JSON.parse(piped.out).results[0]).toMatchObject({
      finishReason: 'stop',
      text: results[0].text.slice(0, results[0].text.indexOf(stop)),
    });
  });

  test('an answer that satisfies a schema, matches a pattern, follows a grammar', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sgmv-constraint-'));
    const grammar = join(folder, 'list.ebnf');
    writeFileSync(grammar, 'root ::= "- " [a-z]{1,5}');
    const schema = join(folder, 'schema.json');
    writeFileSync(schema, '{"type": "array", "items": {"enum": ["é", 7]}, "minItems": 2, "maxItems": 2}');
    const answers = await Promise.all([
      sgmv(generate('--json-schema', ' {"enum": ["yes", "no"]}')),
      sgmv(generate('--json-schema', schema)),
      sgmv(generate('--regex', '[a-c]{4}')),
      sgmv(generate('--grammar', grammar)),
      sgmv(generate('--regex', '(?=a)b')),
    ]);
    rmSync(folder, { recursive: true });
    const shapes = [/^"(yes|no)"\n$/, /^\[("é"|7), ("é"|7)\]\n$/, /^[a-c]{4}\n$/, /^- [a-z]{1,5}\n$/];
    for (const [i, shape] of shapes.entries()) {
      expect(answers[i]?.out).toMatch(shape);
      expect(answers[i]).toMatchObject({ status: 0, err: expect.stringMatching(/, stop\n$/) });
    }
    expect(answers[4]).toMatchObject({ status: 1, err: expect.stringContaining('Lookahead') });
  });

  test('an adapter that is refused fails its own column only', async () => {
    const wrong = join(goldenFolder('llama2'), 'adapters', 'all-r8');
    const { status, out, err } = await sgmv(generate('-a', storiesAdapter('a'), '-a', wrong, '-n', '5'));
    expect(status).toBe(1);
    expect(out).toMatch(/^== a ==\n.+/);
    expect(err).toMatch(/all-r8: adapter_refused: /);
  });

  // Only a model that is not tiny is still busy when the signal arrives.
  test.skipIf(!hasSmollm2)('Ctrl-C ends what runs, keeps what there is, and exits with 130', async () => {
    let killed = false;
    const args = [
      'generate',
      '--model',
      'smollm2-135m-instruct',
      '--chat',
      'Tell a long story.',
      '-n',
      '3000',
    ];
    const { status, out, err } = await sgmv(args, {
      onOut: (_, kill) => {
        if (!killed) kill('SIGINT');
        killed = true;
      },
    });
    expect(status).toBe(130);
    expect(out.length).toBeGreaterThan(1);
    expect(err).toMatch(/base model: \d+ tokens? in .*cancelled/);
  });

  test.each([
    [['generate', '--model', stories], 'Found neither of --prompt and --chat'],
    [['generate', '--prompt', 'x'], "required option '-m, --model <model>'"],
    [generate('--temperature', 'hot'), 'Found "hot"; expected a number of at least 0.'],
    [generate('--top-p', '0'), 'Found "0"; expected a number above 0 and at most 1.'],
    [generate('--max-tokens', '1.5'), 'Found "1.5"; expected a whole number from 1 to'],
    [generate('--regex', 'a', '--grammar', 'b'), 'Found several of --json-schema, --regex and --grammar'],
    [generate('--grammar', '/nowhere'), '--grammar: /nowhere cannot be read'],
    [generate('--json-schema', '{"not": {}}'), 'constraint.schema.not'],
    [generate('--isa', 'mmx'), 'Allowed choices are avx512_bf16, avx512_vnni, avx512, avx2, neon, portable'],
    [generate('--adapter', '/nowhere'), '--adapter: found "/nowhere", which does not exist'],
    [generate('-a', storiesAdapter('a'), '-a', storiesAdapter('a')), 'two adapters are called "a"'],
    [['generate', '--model', 'gpt-17', '--prompt', 'x'], 'found "gpt-17", which does not exist; expected'],
    [
      ['generate', '--model', join(goldenFolder('llama2'), 'model'), '--prompt', 'x'],
      'There is no tokenizer.json',
    ],
    [['generate', '--model', exampleAdapter('sql'), '--prompt', 'x'], 'model_'],
    [['frobnicate'], "unknown command 'frobnicate'"],
  ])('%j is refused with a reason', async (args, reason) => {
    const { status, out, err } = await sgmv(args);
    expect(status).toBe(1);
    expect(out).toBe('');
    expect(err).toContain(reason);
    expect(err).not.toContain('    at ');
  });

  test.skipIf(!hasSmollm2)('SmolLM2 by name and by file answers through its chat template', async () => {
    const args = ['--chat', 'What is the capital of France? Answer in one sentence.', '-n', '20'];
    for (const model of ['smollm2-135m-instruct', smollm2Weights]) {
      const { status, out, err } = await sgmv([
        'generate',
        '--model',
        model,
        ...args,
        '--tokenizer',
        '../../models/smollm2-135m-instruct',
      ]);
      expect({ status, out }, err).toEqual({ status: 0, out: 'The capital of France is Paris.\n' });
    }
  });
});

describe('inspect', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sgmv-inspect-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  test('a sound adapter', async () => {
    const { status, out } = await sgmv([
      'inspect',
      exampleAdapter('reply-friendly'),
      '--model',
      'smollm2-135m-instruct',
    ]);
    expect(status).toBe(0);
    expect(out).toMatch(/verdict +accepted/);
    expect(out).toMatch(/rank +8 to 24/);
    expect(out).toMatch(/targets +gate_proj, up_proj, down_proj/);
  });

  test('DoRA, fused projections, embedding and head', async () => {
    const inspected = async (family: string, kind: string) => {
      const model = join(goldenFolder(family), 'model', 'config.json');
      return sgmv(['inspect', join(goldenFolder(family), 'adapters', kind), '--model', model]);
    };
    const dora = await inspected('phi3', 'dora');
    expect(dora.status).toBe(0);
    expect(dora.out).toMatch(/scaling +rsLoRA/);
    expect(dora.out).toMatch(/magnitudes +DoRA/);
    expect(dora.out).toMatch(/targets +qkv_proj, o_proj, gate_up_proj, down_proj, lm_head\n/);
    const ends = await inspected('gemma3', 'ends');
    expect(ends.status).toBe(0);
    expect(ends.out).toMatch(/targets +o_proj, embed_tokens, lm_head\n/);
    expect(ends.out).not.toMatch(/magnitudes/);
  });

  test('a refused one: code, place, found, expected, exit status 1', async () => {
    const model = join(goldenFolder('llama2'), 'model', 'config.json');
    const refused = join(folder, 'refused');
    cpSync(join(goldenFolder('llama2'), 'adapters', 'all-r8'), refused, { recursive: true });
    const config = join(refused, 'adapter_config.json');
    writeFileSync(
      config,
      JSON.stringify({ ...JSON.parse(readFileSync(config, 'utf8')), modules_to_save: ['lm_head'] }),
    );
    const { status, out } = await sgmv(['inspect', refused, '--model', model]);
    expect(status).toBe(1);
    expect(out).toMatch(/unsupported_field: .*modules_to_save/);
    const json = await sgmv(['inspect', refused, '--model', model, '--json']);
    expect(json.status).toBe(1);
    expect(JSON.parse(json.out)).toMatchObject({
      ok: false,
      problems: [{ code: 'unsupported_field', path: 'modules_to_save' }],
    });
  });

  test('an adapter of another model: the first problems, and how many more', async () => {
    const { status, out } = await sgmv(['inspect', exampleAdapter('sql'), '--model', stories]);
    expect(status).toBe(1);
    expect(out).toMatch(/verdict +refused: \d+ problems/);
    expect(out.match(/^ {2}found /gm)).toHaveLength(8);
    expect(out).toMatch(/… and \d+ more/);
  });

  test('files that are missing or broken', async () => {
    const broken = join(folder, 'broken');
    cpSync(storiesAdapter('a'), broken, { recursive: true });
    writeFileSync(join(broken, 'adapter_config.json'), '{"r": ');
    const { status, out } = await sgmv(['inspect', broken, '--model', stories, '--json']);
    expect(status).toBe(1);
    expect(JSON.parse(out).problems[0]).toMatchObject({ file: 'adapter_config.json' });
    const missing = await sgmv(['inspect', join(folder, 'none'), '--model', stories, '--json']);
    expect(missing.status).toBe(1);
    expect(JSON.parse(missing.out)).toMatchObject({ ok: false, error: { code: 'adapter_not_found' } });
  });
});

describe('golden', () => {
  test('prints every case and closes with the counts', async () => {
    const { status, out } = await sgmv(['golden', goldenFolder('llama3')]);
    expect(status).toBe(0);
    expect(out).toMatch(
      /^ok +base\/0 +max \|Δlogit\| \d\.\d+e-\d \(\d\.\d+e-\d of max \|logit\|\), KL \d.*, top-1 100.0 %$/m,
    );
    expect(out.trimEnd().split('\n').at(-1)).toBe('6 passed, 0 failed');
  });

  test('a tolerance of zero fails what is not equal to the bit, and JSON says why', async () => {
    const { status, out } = await sgmv(['golden', goldenFolder('llama2'), '--tolerance', '0', '--json']);
    expect(status).toBe(1);
    const { passed, failed, folders } = JSON.parse(out);
    expect(passed + failed).toBe(24);
    expect(folders[0].results[0]).toMatchObject({ case: 'base/0', passed: false, error: { code: 'logits' } });
  });

  test('a folder without references', async () => {
    const { status, err } = await sgmv(['golden', stories]);
    expect(status).toBe(1);
    expect(err).toContain('there is no golden.json');
  });
});

test('info names the machine and the model', async () => {
  const { status, out } = await sgmv(['info', '--model', stories]);
  expect(status).toBe(0);
  expect(out).toMatch(/instruction set +(avx512_bf16|avx512_vnni|avx512|avx2|neon|portable)/);
  expect(out).toMatch(/layers +5\n/);
  expect(out).not.toMatch(/experts/);
  const twoShapes = await sgmv(['info', '--model', join(goldenFolder('gemma4'), 'model', 'config.json')]);
  expect(twoShapes.out).toMatch(/heads +2 query, 1 key\/value, 6 wide; where all is seen 1 key\/value, 12 wide/);
  const latent = await sgmv(['info', '--model', join(goldenFolder('deepseek-v3'), 'model', 'config.json')]);
  expect(latent.out).toMatch(/heads +2 query, 10 wide, of one row of 14 key\/value\n/);
  const mixture = await sgmv(['info', '--model', join(goldenFolder('qwen3-moe'), 'model', 'config.json')]);
  expect(mixture.out).toMatch(/experts +7, 3 per token, 20 wide\n/);
  expect(JSON.parse((await sgmv(['info', '--json'])).out)).toMatchObject({ version: '0.1.0' });
});

describe('columns', () => {
  test('wrap at spaces, inside long words, by cells', () => {
    expect(wrap('the quick brown fox', 10)).toEqual(['the quick', 'brown fox']);
    expect(wrap('abcdefghij', 4)).toEqual(['abcd', 'efgh', 'ij']);
    expect(wrap('a\n\nb', 5)).toEqual(['a', '', 'b']);
    expect(wrap('你好世界', 4)).toEqual(['你好', '世界']);
    for (const line of wrap('😀 é 👩‍👩‍👧 words of 你好 and more', 7))
      expect(displayWidth(line)).toBeLessThanOrEqual(7);
  });

  test('control characters of a model never reach the terminal', () => {
    expect(sanitize('a\x1b[2Jb\rc\x07\x7f\x9bd\n\te')).toBe('a␛[2Jb␍c␇␡␡d\n\te');
  });

  test('the last drawing has the whole of every stream, each in its column', () => {
    const written: string[] = [];
    const view = new ColumnView({ columns: 60, rows: 6, write: (text) => written.push(text) }, [
      'one',
      'two',
    ]);
    for (let i = 0; i < 40; i++) view.append(i % 2, `word${i} `);
    view.finish();
    const lines = (written.at(-1) ?? '').trimEnd().split('\n');
    expect(lines[0]).toMatch(/^one +│ two$/);
    for (const line of lines) expect(displayWidth(line)).toBeLessThan(60);
    const left = lines.map((line) => line.split('│')[0]).join(' ');
    const right = lines.map((line) => line.split('│')[1] ?? '').join(' ');
    for (let i = 0; i < 40; i++) expect(i % 2 ? right : left).toContain(`word${i} `.trim());
  });
});

test('the command says how to build when it is not built', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sgmv-bin-'));
  cpSync(join(packageFolder, 'bin'), join(folder, 'bin'), { recursive: true });
  const child = spawn(process.execPath, [join(folder, 'bin', 'sgmv.mjs'), 'info']);
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const status = await new Promise((resolve) => child.on('close', resolve));
  rmSync(folder, { recursive: true });
  expect(status).toBe(1);
  expect(err).toContain('npm start');
});
