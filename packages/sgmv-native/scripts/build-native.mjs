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

const HELP = `Usage: node scripts/build-native.mjs [options]

  --target addon|tests|bench|fuzz|all
                                   what to build (default: addon, the module that Node loads);
                                   fuzz: scripts/fuzz-native.mjs runs it
  --run [-- ARGS]                  run the built tests or bench afterwards, with ARGS
  --sanitize address,undefined     build with sanitizers, in a folder of its own (or: thread)
  --jobs N                         parallel compilations (default: one per core)
  --werror                         treat compiler warnings as errors
  --clean                          start from an empty build folder
`;

const TARGETS = { addon: 'sgmv_addon', tests: 'sgmv_tests', bench: 'sgmv_bench', fuzz: 'sgmv_fuzz', all: 'all' };
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

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { stdio: 'inherit', cwd: packageFolder, ...options });
  if (result.error) throw new BuildError(`\`${command}\` could not be started: ${result.error.message}`);
  return result.status ?? 1;
}

/** Configures when there is no build folder yet or the settings have changed since; CMake itself sees new files. */
function configure(folder, tools, { sanitize, werror }) {
  const headers = headerFolders();
  const args = [
    ...['-S', packageFolder, '-B', folder, '-G', tools.generator],
    `-DCMAKE_BUILD_TYPE=${sanitize ? 'RelWithDebInfo' : 'Release'}`,
    `-DCMAKE_CXX_COMPILER=${tools.compiler}`,
    `-DSGMV_SANITIZE=${sanitize}`,
    `-DSGMV_WERROR=${werror ? 'ON' : 'OFF'}`,
    `-DSGMV_FUZZ=${sanitize === 'address,undefined' ? 'ON' : 'OFF'}`,
    `-DNODE_API_HEADERS_DIR=${headers.nodeApi}`,
    `-DNODE_ADDON_API_DIR=${headers.nodeAddonApi}`,
  ];
  const stamp = join(folder, 'settings.sha256');
  const settings = createHash('sha256').update(args.join('\n')).digest('hex');
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

function build(folder, target, jobs) {
  const args = ['--build', folder, '--target', TARGETS[target], '--parallel', jobs];
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
  build(folder, options.target, options.jobs);
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  process.stdout.write(`sgmv-native: ${options.target} in ${relative(process.cwd(), folder) || '.'} is up to date (${seconds} s)\n`);
  if (options.run) process.exitCode = run(join(folder, TARGETS[options.target]), options.runArguments);
}

try {
  main();
} catch (error) {
  if (!(error instanceof BuildError) && !error.code?.startsWith('ERR_PARSE_ARGS')) throw error;
  process.stderr.write(`sgmv-native: ${error.message}\n`);
  process.exitCode = 1;
}
