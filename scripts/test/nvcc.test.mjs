import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cudaFolder, findNvcc } from '../../packages/sgmv-native/scripts/nvcc.mjs';
import { PACKAGES, requireNvcc } from '../lib/nvcc.mjs';

const SYSTEM = ['/bin', '/usr/bin'].join(delimiter);
let dir, settings, environment;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aril-nvcc-'));
  settings = { repository: dir, home: join(dir, 'home'), cache: join(dir, 'cache'), logs: join(dir, 'logs') };
  environment = { ...process.env };
  for (const name of ['SGMV_NVCC', 'NVCC', 'CUDA_HOME', 'CUDA_PATH', 'VIRTUAL_ENV']) delete process.env[name];
});
afterEach(() => {
  process.env = environment;
  rmSync(dir, { recursive: true, force: true });
});

function program(path, text = '#!/bin/sh\n') {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

/** A python3 whose pip unpacks an nvcc and a library, or fails half-way. */
function pretendPip({ fails = false } = {}) {
  const script = `#!/bin/sh
[ "$3" = "--version" ] && exit 0
while [ "$1" != "--target" ]; do shift; done
mkdir -p "$2/nvidia/cu13/bin" "$2/nvidia/cu13/lib"
echo "$@" >> ${join(dir, 'pip.txt')}
touch "$2/nvidia/cu13/bin/nvcc" "$2/nvidia/cu13/lib/libcublasLt.so.13" "$2/nvidia/cu13/lib/libcudart_static.a"
${fails ? 'exit 1' : ''}
`;
  program(join(dir, 'bin', 'python3'), script);
  // Neither the machine's own nvcc nor its python3.
  process.env.PATH = [join(dir, 'bin'), SYSTEM].join(delimiter);
}

describe('findNvcc', () => {
  it('takes the one that is named, and none where the name is empty', () => {
    expect(findNvcc({ SGMV_NVCC: '/a/nvcc', NVCC: '/b/nvcc', PATH: '' })).toBe('/a/nvcc');
    expect(findNvcc({ NVCC: '/b/nvcc', PATH: '' })).toBe('/b/nvcc');
    expect(findNvcc({ SGMV_NVCC: '', NVCC: '/b/nvcc', PATH: '' })).toBeUndefined();
  });

  it('looks into CUDA_HOME before PATH, and into a virtual environment after it', () => {
    const home = program(join(dir, 'toolkit', 'bin', 'nvcc'));
    const path = program(join(dir, 'bin', 'nvcc'));
    const packaged = program(join(dir, 'venv/lib/python3.12/site-packages/nvidia/cu13/bin/nvcc'));
    const env = { CUDA_HOME: join(dir, 'toolkit'), PATH: join(dir, 'bin'), VIRTUAL_ENV: join(dir, 'venv') };
    expect(findNvcc(env)).toBe(home);
    expect(findNvcc({ ...env, CUDA_HOME: undefined })).toBe(path);
    if (!existsSync('/usr/local/cuda/bin/nvcc'))
      expect(findNvcc({ ...env, CUDA_HOME: undefined, PATH: '' })).toBe(packaged);
  });
});

// A machine with an nvcc in the system's own folders takes that one.
describe.skipIf(findNvcc({ PATH: SYSTEM, ARIL_HOME: '/none' }))('requireNvcc', () => {
  it('fetches once, keeps no library that only runs, and fetches anew when the versions change', async () => {
    pretendPip();
    const nvcc = await requireNvcc(settings, () => {});
    const folder = cudaFolder({ ARIL_HOME: settings.home });
    expect(nvcc).toBe(join(folder, 'nvidia', 'cu13', 'bin', 'nvcc'));
    expect(existsSync(join(folder, 'nvidia', 'cu13', 'lib', 'libcublasLt.so.13'))).toBe(false);
    expect(existsSync(join(folder, 'nvidia', 'cu13', 'lib', 'libcudart_static.a'))).toBe(true);
    expect(await requireNvcc(settings, () => {})).toBe(nvcc);
    writeFileSync(join(folder, 'packages.txt'), 'nvidia-cuda-nvcc==1.0');
    await requireNvcc(settings, () => {});
    const calls = readFileSync(join(dir, 'pip.txt'), 'utf8').trim().split('\n');
    expect(calls).toHaveLength(2);
    for (const name of PACKAGES) expect(calls[1]).toContain(name);
  });

  it('leaves nothing that looks whole when pip fails', async () => {
    pretendPip({ fails: true });
    await expect(requireNvcc(settings, () => {})).rejects.toThrow('failed with exit status 1');
    expect(findNvcc({ PATH: '', ARIL_HOME: settings.home })).toBeUndefined();
    expect(existsSync(`${cudaFolder({ ARIL_HOME: settings.home })}.partial`)).toBe(false);
  });
});
