#!/usr/bin/env node
/**
 * Builds the native part with CMake into build/<kind>/. Uses Node built-ins only and downloads nothing: Node's own
 * headers come from the npm packages node-api-headers and node-addon-api. Incremental; a second run with nothing
 * changed takes a fraction of a second.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findNvcc, nvccVersion } from './nvcc.mjs';

const HELP = `Usage: node scripts/build-native.mjs [options]

  --target NAME                    what to build (default: addon)
      addon                        the module that Node loads
      tests, bench                 of the CPU engine
      cuda-tests, cuda-bench       of the CUDA backend, by nvcc; they need a device
      cuda-emulated                both for a device emulated on the processor
      cuda-access                  a step on it whose loads and stores are counted; scripts/access-patterns.mjs runs it
      cuda-access-ops              single operations, likewise, with what is expected of them
      fuzz                         scripts/fuzz-native.mjs runs it
      all
  --run [-- ARGS]                  run the built tests or bench afterwards, with ARGS
  --sanitize address,undefined     build with sanitizers, in a folder of its own (or: thread)
  --jobs N                         parallel compilations (default: one per core)
  --werror                         treat compiler warnings as errors
  --clean                          start from an empty build folder
  --cuda auto|on|off               the CUDA backend (default: auto, where nvcc is found); never with sanitizers
  --nvcc PATH                      nvcc (default: SGMV_NVCC, NVCC, CUDA_HOME, PATH, /usr/local/cuda, .aril/cuda)
  --cuda-architectures LIST        e.g. 90a-real or native (default: SGMV_CUDA_ARCHITECTURES, or all we know)
`;

/** Stands for the number of jobs, and for the build folder, in what --run starts. */
const [JOBS, FOLDER] = ['{jobs}', '{folder}'];
/** What CMake builds, and what --run starts, in this order. */
const TARGETS = {
  addon: { build: ['sgmv_addon'] },
  tests: { build: ['sgmv_tests'], run: [['sgmv_tests', '--jobs', JOBS]] },
  bench: { build: ['sgmv_bench'], run: [['sgmv_bench']] },
  'cuda-tests': { build: ['sgmv_cuda_tests'], run: [['sgmv_cuda_tests']] },
  'cuda-bench': { build: ['sgmv_cuda_bench'], run: [['sgmv_cuda_bench']] },
  'cuda-emulated': {
    build: ['sgmv_cuda_emulated_bench', 'sgmv_cuda_emulated_tests'],
    run: [
      // The bench, by the script that a device's machine runs.
      ['../../scripts/gpu-check.sh', '--smoke', '--programs', `${FOLDER}/test/cuda_emulator`, '--out', `${FOLDER}/smoke`],
      ['test/cuda_emulator/sgmv_cuda_emulated_tests', '--jobs', JOBS],
    ],
  },
  'cuda-access': { build: ['sgmv_cuda_access'] },
  'cuda-access-ops': { build: ['sgmv_cuda_access_ops'], run: [['test/cuda_emulator/sgmv_cuda_access_ops']] },
  fuzz: { build: ['sgmv_fuzz'] },
  all: { build: ['all'] },
};
const packageFolder = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);

class BuildError extends Error {}

function readOptions() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      target: { type: 'string', default: 'addon' },
      run: { type: 'boolean', default: false },
      sanitize: { type: 'string', default: '' },
      jobs: { type: 'string', default: String(availableParallelism()) },
      werror: { type: 'boolean', default: false },
      clean: { type: 'boolean', default: false },
      cuda: { type: 'string', default: 'auto' },
      nvcc: { type: 'string' },
      'cuda-architectures': { type: 'string', default: process.env.SGMV_CUDA_ARCHITECTURES ?? '' },
      help: { type: 'boolean', default: false },
    },
  });
  if (!Object.hasOwn(TARGETS, values.target)) {
    throw new BuildError(`--target: found "${values.target}"; expected one of ${Object.keys(TARGETS).join(', ')}.`);
  }
  if (values.sanitize && !/^(address|undefined|thread|leak)(,(address|undefined|leak))*$/.test(values.sanitize)) {
    throw new BuildError(`--sanitize: found "${values.sanitize}"; expected e.g. address,undefined or thread.`);
  }
  if (!/^[1-9]\d*$/.test(values.jobs)) {
    throw new BuildError(`--jobs: found "${values.jobs}"; expected a whole number of at least 1.`);
  }
  if (!['auto', 'on', 'off'].includes(values.cuda)) {
    throw new BuildError(`--cuda: found "${values.cuda}"; expected auto, on or off.`);
  }
  // A fuzz target without ASan would miss what it is for. These sanitizers' tests and fuzz targets share a folder.
  if (values.target === 'fuzz') values.sanitize = 'address,undefined';
  return { ...values, runArguments: positionals };
}

const works = (tool) => spawnSync(tool, ['--version'], { stdio: 'ignore' }).status === 0;

const missing = (tool, what, packages) =>
  new BuildError(
    `Building the engine needs ${what}, and \`${tool}\` was not found. On Debian or Ubuntu: sudo apt-get install ${packages}`,
  );

/** The tools to build with. Throws with the name of the package to install. */
function findTools() {
  if (!works('cmake')) throw missing('cmake', 'CMake', 'cmake');
  const compiler = process.env.CXX || ['c++', 'g++', 'clang++'].find(works);
  if (!compiler || !works(compiler)) throw missing(compiler || 'g++', 'a C++ compiler', 'g++');
  checkCompilerAge(compiler);
  if (works('ninja')) return { generator: 'Ninja', compiler };
  if (works('make')) return { generator: 'Unix Makefiles', compiler };
  throw missing('make', 'make or ninja', 'make');
}

function checkCompilerAge(compiler) {
  const version = spawnSync(compiler, ['--version'], { encoding: 'utf8' }).stdout;
  const gcc = /\(GCC\)|g\+\+|Free Software Foundation/.test(version);
  const major = Number(/(\d+)\.\d+(?:\.\d+)?/.exec(version)?.[1]);
  const needed = gcc ? 11 : 14;
  if (major && major < needed) {
    throw new BuildError(
      `Building the engine needs C++20: ${gcc ? 'g++' : 'clang'} ${needed} or newer, and \`${compiler}\` is ${major}. Set CXX to a newer one.`,
    );
  }
}

function headerFolders() {
  try {
    return {
      nodeApi: require('node-api-headers').include_dir,
      nodeAddonApi: dirname(require.resolve('node-addon-api/package.json')),
    };
  } catch {
    throw new BuildError('The headers of Node are missing: run `npm install` in the root of the repository first.');
  }
}

/** Whether a build without the CUDA backend would be of no use. */
const needsCuda = ({ cuda, target }) => cuda === 'on' || ['cuda-tests', 'cuda-bench'].includes(target);

/** The same whether CUDA is needed or only welcome: both share a folder. */
function cudaSettings(options) {
  if (options.cuda === 'off' || options.sanitize) return ['-DSGMV_CUDA=OFF'];
  const nvcc = options.nvcc ?? findNvcc();
  if (!nvcc && needsCuda(options)) {
    throw new BuildError('nvcc was not found. `node scripts/fetch-nvcc.mjs` in the root of the repository fetches one.');
  }
  if (!nvcc) return ['-DSGMV_CUDA=OFF'];
  const architectures = options['cuda-architectures'];
  return [
    '-DSGMV_CUDA=AUTO',
    `-DSGMV_NVCC=${nvcc}`,
    ...(architectures ? [`-DSGMV_CUDA_ARCHITECTURES=${architectures}`] : []),
  ];
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { stdio: 'inherit', cwd: packageFolder, ...options });
  if (result.error) throw new BuildError(`\`${command}\` could not be started: ${result.error.message}`);
  return result.status ?? 1;
}

/** Configures when there is no build folder yet or the settings have changed since; CMake itself sees new files. */
function configure(folder, tools, options) {
  const { sanitize, werror } = options;
  const headers = headerFolders();
  const cuda = cudaSettings(options);
  const args = [
    ...['-S', packageFolder, '-B', folder, '-G', tools.generator],
    `-DCMAKE_BUILD_TYPE=${sanitize ? 'RelWithDebInfo' : 'Release'}`,
    `-DCMAKE_CXX_COMPILER=${tools.compiler}`,
    `-DSGMV_SANITIZE=${sanitize}`,
    `-DSGMV_WERROR=${werror ? 'ON' : 'OFF'}`,
    ...(sanitize ? [] : ['-DSGMV_UNITY=ON']),
    `-DSGMV_FUZZ=${sanitize === 'address,undefined' ? 'ON' : 'OFF'}`,
    `-DNODE_API_HEADERS_DIR=${headers.nodeApi}`,
    `-DNODE_ADDON_API_DIR=${headers.nodeAddonApi}`,
    ...cuda,
  ];
  const stamp = join(folder, 'settings.sha256');
  const nvcc = cuda.find((setting) => setting.startsWith('-DSGMV_NVCC='))?.split('=')[1];
  const settings = createHash('sha256')
    .update([...args, ...(nvcc ? [nvccVersion(nvcc)] : [])].join('\n'))
    .digest('hex');
  const buildFile = join(folder, tools.generator === 'Ninja' ? 'build.ninja' : 'Makefile');
  if (existsSync(buildFile) && existsSync(stamp) && readFileSync(stamp, 'utf8') === settings) return;
  // CMake refuses to change generator or compiler in a used folder.
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  if (run('cmake', args, { stdio: ['ignore', 'ignore', 'inherit'] }) !== 0) {
    throw new BuildError('CMake could not configure the build; its message is above.');
  }
  writeFileSync(stamp, settings);
}

/** Instrumented, a bench would only take its time. */
const programsOf = (programs, { sanitize }) => (sanitize ? programs.slice(-1) : programs);

function build(folder, options) {
  const targets = programsOf(TARGETS[options.target].build, options);
  const args = ['--build', folder, '--parallel', options.jobs, '--target', ...targets];
  if (run('cmake', args) !== 0) throw new BuildError('The engine could not be compiled; the message is above.');
}

/** clang's instrumentation for libFuzzer would be of no use to the tests, and so has a folder of its own. */
function buildFolder({ target, sanitize }, { compiler }) {
  const libFuzzer = target === 'fuzz' && /clang/.test(spawnSync(compiler, ['--version'], { encoding: 'utf8' }).stdout);
  return join(packageFolder, 'build', libFuzzer ? 'fuzz' : sanitize ? sanitize.replaceAll(',', '-') : 'Release');
}

function main() {
  const options = readOptions();
  if (options.help) return void process.stdout.write(HELP);
  const tools = findTools();
  const folder = buildFolder(options, tools);
  if (options.clean) rmSync(folder, { recursive: true, force: true });
  const started = Date.now();
  configure(folder, tools, options);
  if (needsCuda(options) && !/^SGMV_NVCC_WORKS:/m.test(readFileSync(join(folder, 'CMakeCache.txt'), 'utf8'))) {
    throw new BuildError(`This nvcc does not work with ${tools.compiler}; --clean shows why.`);
  }
  build(folder, options);
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  process.stdout.write(`sgmv-native: ${options.target} in ${relative(process.cwd(), folder) || '.'} is up to date (${seconds} s)\n`);
  if (options.run) process.exitCode = runBuilt(folder, options);
}

/** ARGS are for the last program. @returns {number} the first exit status that is not 0 */
function runBuilt(folder, options) {
  const { target, runArguments, jobs } = options;
  const programs = TARGETS[target].run ?? [];
  for (const [program, ...args] of programsOf(programs, options)) {
    const filled = args.map((arg) => arg.replace(JOBS, jobs).replace(FOLDER, folder));
    const last = program === programs.at(-1)[0];
    const status = run(join(folder, program), last ? [...filled, ...runArguments] : filled);
    if (status !== 0) return status;
  }
  return 0;
}

try {
  main();
} catch (error) {
  if (!(error instanceof BuildError) && !error.code?.startsWith('ERR_PARSE_ARGS')) throw error;
  process.stderr.write(`sgmv-native: ${error.message}\n`);
  process.exitCode = 1;
}
