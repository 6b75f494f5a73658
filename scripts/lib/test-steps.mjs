/**
 * What `npm test` runs. A step prints to its own log; how its tests are counted depends on the tool. test-queue.mjs
 * says in which order they run.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @typedef {object} TestStep
 * @property {string} id what a filter on the command line matches
 * @property {string} title
 * @property {string} command @property {string[]} args @property {string} cwd
 * @property {NodeJS.ProcessEnv} [env]
 * @property {boolean} computes or mostly waits
 * @property {string} [uses] what no other step may use meanwhile
 * @property {'vitest' | 'counted' | 'exit'} count 'counted': prints "N passed, N failed"; 'exit': one test, the exit status
 */

/** Parts of the names of native tests that have more than one thread. Files without any are left out by CMakeLists.txt. */
const THREADED = [
  ...['thread pool:', 'engine:', 'adapters:', 'faults:', 'cancel:', 'close:', 'resume:', 'seeds:'],
  ...['choices:', 'prefix', 'memory:', 'invariance:', 'numeric:', 'files: loads go on'],
];
/** For each target: what was found before is found again, and a new bug near the corpus has a chance. */
const FUZZ_SECONDS = '6';

const read = (file) => JSON.parse(readFileSync(file, 'utf8'));

/** @param {string} root @returns {TestStep[]} */
function nativeSteps(root, jobs) {
  const cwd = join(root, 'packages', 'sgmv-native');
  const build = ['scripts/build-native.mjs', '--target', 'tests', '--jobs', jobs, '--run'];
  const emulated = ['scripts/build-native.mjs', '--target', 'cuda-emulated', '--jobs', jobs];
  const node = process.execPath;
  const sanitizers = {
    ASAN_OPTIONS: 'detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1',
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
  };
  return [
    { id: 'native', title: 'Native tests', command: node, args: build, cwd, count: 'counted' },
    {
      id: 'native-sanitized',
      title: 'Native tests under ASan and UBSan',
      command: node,
      args: [...build.slice(0, -1), '--sanitize', 'address,undefined', '--run'],
      cwd,
      env: sanitizers,
      count: 'counted',
    },
    {
      id: 'native-threads',
      title: 'Native tests of threads under TSan',
      command: node,
      args: [...build.slice(0, -1), '--sanitize', 'thread', '--run', '--', ...THREADED],
      cwd,
      env: { TSAN_OPTIONS: 'halt_on_error=1:second_deadlock_stack=1' },
      count: 'counted',
    },
    {
      id: 'cuda',
      title: 'CUDA: nvcc for sm_80, sm_86, sm_89, sm_90a; GPU tests',
      command: node,
      args: ['scripts/check-cuda.mjs', '--jobs', jobs],
      cwd,
      count: 'counted',
    },
    {
      id: 'cuda-emulated',
      title: 'CUDA on the emulated device',
      command: node,
      args: [...emulated, '--run'],
      cwd,
      count: 'counted',
    },
    {
      id: 'cuda-sanitized',
      title: 'CUDA on the emulated device under ASan and UBSan',
      command: node,
      args: [...emulated, '--sanitize', 'address,undefined', '--run'],
      cwd,
      // Stacks on the heap, for use after return, make every switch between a kernel's threads dear.
      env: { ...sanitizers, ASAN_OPTIONS: 'detect_leaks=1:strict_string_checks=1' },
      count: 'counted',
    },
    {
      id: 'cuda-access',
      title: 'How CUDA kernels touch memory, counted on the emulated device',
      command: node,
      args: ['scripts/build-native.mjs', '--target', 'cuda-access-ops', '--jobs', jobs, '--run'],
      cwd,
      count: 'counted',
    },
    {
      id: 'cuda-races',
      title: 'CUDA kernels on the emulated device under TSan: missing barriers',
      command: node,
      args: [
        ...emulated,
        '--sanitize',
        'thread',
        '--run',
        '--',
        'device',
        'cuda sgmv',
        'attention',
        'linear',
        'rotate',
        'layers',
        'sampling',
        'cuda mixture',
        'states cuda',
      ],
      cwd,
      env: { TSAN_OPTIONS: 'halt_on_error=1' },
      count: 'counted',
    },
    {
      id: 'native-fuzz',
      title: 'Fuzzing of the file formats',
      command: node,
      args: ['scripts/fuzz-native.mjs', '--seconds', FUZZ_SECONDS, '--jobs', jobs],
      cwd,
      count: 'counted',
    },
  ];
}

/** @param {string} root @returns {TestStep[]} every workspace with tests of its own */
function workspaceSteps(root) {
  const folders = ['packages', 'apps'].flatMap((parent) =>
    readdirSync(join(root, parent)).map((name) => join(root, parent, name)),
  );
  folders.push(join(root, 'benchmarks'));
  const tested = folders.filter(
    (cwd) => existsSync(join(cwd, 'package.json')) && read(join(cwd, 'package.json')).scripts?.test,
  );
  return tested.map((cwd) =>
    vitestStep(root, cwd, read(join(cwd, 'package.json')).name.replace('@aril/', '')),
  );
}

/** @returns {TestStep} */
function vitestStep(root, cwd, id) {
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  return {
    id,
    title: `Tests of ${id}`,
    command: process.execPath,
    args: [vitest, 'run'],
    cwd,
    count: 'vitest',
  };
}

/** @param {string} root @returns {TestStep[]} */
function lintSteps(root) {
  const bin = (path) => join(root, 'node_modules', path);
  const step = (id, title, args, cwd = root) => ({
    id,
    title,
    command: process.execPath,
    args,
    cwd,
    count: 'exit',
  });
  const projects = [
    'packages/cli',
    'packages/contracts',
    'packages/metrics',
    'packages/object-store',
    'packages/sgmv-native',
    'apps/api',
    'apps/gpu-runner',
    'apps/portal',
    'e2e',
  ];
  const typed = projects.filter((path) => existsSync(join(root, path, 'tsconfig.json')));
  return [
    step('eslint', 'ESLint', [bin('eslint/bin/eslint.js'), '.', '--max-warnings', '0']),
    step('layering', 'Layering (dependency-cruiser)', [
      bin('dependency-cruiser/bin/dependency-cruise.mjs'),
      ...['apps', 'packages', 'e2e', '--config', '.dependency-cruiser.cjs'],
    ]),
    ...typed.map((path) =>
      step(`types-${path.split('/').at(-1)}`, `Types of ${path}`, [
        bin('typescript/bin/tsc'),
        '--noEmit',
        '-p',
        join(path, 'tsconfig.json'),
      ]),
    ),
  ];
}

/** Where it builds, as build-native.mjs names it. The fuzz targets have their own only if there is a clang. */
function folderOf({ id, args }) {
  if (id === 'native-fuzz') return 'address,undefined';
  return args.includes('--sanitize') ? args[args.indexOf('--sanitize') + 1] : 'Release';
}

/** @param {string} root @param {string} jobs parallel compilations @returns {TestStep[]} */
export function testSteps(root, jobs) {
  const e2e = (project, id) => {
    const step = vitestStep(root, join(root, 'e2e'), id);
    return { ...step, args: [...step.args, '--project', project] };
  };
  const apps = [
    { ...vitestStep(root, join(root, 'scripts'), 'scripts'), title: 'Tests of the start and test scripts' },
    ...workspaceSteps(root),
    { ...e2e('stack', 'e2e'), title: 'The whole path (browser, clients, faults)' },
    { ...e2e('clean-clone', 'e2e-clean-clone'), title: 'npm start in a clean clone' },
  ];
  return [
    ...lintSteps(root).map((step) => ({ ...step, computes: false })),
    ...nativeSteps(root, jobs).map((step) => ({ ...step, computes: true, uses: folderOf(step) })),
    // The API's tests have hundreds of connections, any of which may be at the port that a killed process comes back to.
    ...apps.map((step) => ({ ...step, computes: false, ...(['api', 'e2e'].includes(step.id) ? { uses: 'ports' } : {}) })),
  ];
}
