/** What the system must have before anything else can work, each with the command that provides it. */
import { spawnSync } from 'node:child_process';
import { statfsSync } from 'node:fs';
import { findProgram } from '../../packages/local-services/src/find-program.mjs';
import { Failure } from './failure.mjs';

const NODE_MIN = [20, 19];
/** node_modules, the portal's build and a database, measured and rounded up. */
const FIRST_START_BYTES = 3.5 * 2 ** 30;
const LATER_START_BYTES = 0.3 * 2 ** 30;
/** Node.js, for the distributions whose own package is older than what we need. */
const NODE_FIX =
  'curl -fsSL https://deb.nodesource.com/setup_22.x | sudo -E bash - && sudo apt-get install -y nodejs';

/** @type {{ names: string[], packages: string, version?: RegExp, min?: number[] }[]} any one of the names will do */
const TOOLS = [
  { names: ['npm'], packages: 'npm' },
  { names: ['g++', 'clang++'], packages: 'g++' },
  { names: ['make', 'ninja'], packages: 'make' },
  { names: ['cmake'], packages: 'cmake' },
];

const sudo = () => (process.getuid?.() === 0 ? '' : 'sudo ');

export const aptInstall = (packages) => `${sudo()}apt-get update && ${sudo()}apt-get install -y ${packages}`;

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return;
  throw new Failure(
    `Node.js ${process.versions.node} is too old; expected ${NODE_MIN.join('.')} or newer.`,
    `Install a newer one:\n${NODE_FIX}`,
  );
}

function checkSystem() {
  if (process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch)) return;
  throw new Failure(
    `This system is ${process.platform} on ${process.arch}; expected Linux on x64 or arm64.`,
    'Run Aril in a Debian or Ubuntu container or virtual machine.',
  );
}

function checkCompiler() {
  const missing = TOOLS.filter(({ names }) => !names.some((name) => findProgram(name)));
  if (missing.length > 0) {
    const names = missing.map((tool) => tool.names[0]).join(', ');
    throw new Failure(
      `Missing: ${names}.`,
      `Install what is missing, then run npm start again:\n${aptInstall(missing.map((tool) => tool.packages).join(' '))}`,
    );
  }
  const compiler = ['g++', 'clang++'].find((name) => findProgram(name));
  const { stdout } = spawnSync(compiler, ['-dumpversion'], { encoding: 'utf8' });
  const found = Number.parseInt(stdout, 10);
  // C++20 with <span>, <bit> and <source_location>.
  if (compiler === 'g++' && found < 11)
    throw new Failure(
      `g++ ${stdout.trim()} is too old for C++20; expected 11 or newer.`,
      `Install a newer one:\n${aptInstall('g++-12')}\nthen: export CXX=g++-12 CC=gcc-12`,
    );
}

/** @param {string[]} folders existing ones */
function checkSpace(folders, bytes) {
  for (const folder of folders) {
    const { bavail, bsize } = statfsSync(folder);
    const free = bavail * bsize;
    if (free >= bytes) continue;
    const gib = (n) => `${(n / 2 ** 30).toFixed(1)} GiB`;
    throw new Failure(
      `${folder} is on a disk with ${gib(free)} left; expected at least ${gib(bytes)}.`,
      'Free some space there (df -h shows the disks), or move the clone to a larger disk.',
    );
  }
}

/** @param {import('./settings.mjs').Settings} settings @param {boolean} firstStart */
export function checkTools(settings, firstStart) {
  checkSystem();
  checkNode();
  checkCompiler();
  checkSpace([settings.repository, settings.home], firstStart ? FIRST_START_BYTES : LATER_START_BYTES);
}
