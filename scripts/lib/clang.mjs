/** A clang with libFuzzer for the fuzz targets: the system's, else the distribution's packages unpacked into the cache. */
import { join } from 'node:path';
import { aptInstall } from './tools.mjs';

/** Debian's and Ubuntu's own; the first that can be had is taken. */
const VERSIONS = [14, 18, 19];

async function unpackClang(settings, version) {
  const { libraryPath, unpackPackages } = await import('../../packages/local-services/src/apt.mjs');
  const root = await unpackPackages({
    packages: [`clang-${version}`, `libclang-rt-${version}-dev`],
    folder: join(settings.cache, `clang-${version}`),
  });
  return {
    path: join(root, 'usr', 'lib', `llvm-${version}`, 'bin', 'clang++'),
    libraries: libraryPath(root),
  };
}

/**
 * @param {import('./settings.mjs').Settings} settings
 * @returns {Promise<{ path: string, libraries: string } | { fix: string }>} libraries: a LD_LIBRARY_PATH it needs, or ''
 */
export async function findClang(settings) {
  const { findLibFuzzer, hasLibFuzzer } = await import('../../packages/sgmv-native/scripts/libfuzzer.mjs');
  const installed = findLibFuzzer();
  if (installed) return { path: installed, libraries: '' };
  for (const version of VERSIONS) {
    try {
      const clang = await unpackClang(settings, version);
      if (hasLibFuzzer(clang.path, clang.libraries)) return clang;
    } catch {
      // Not a Debian, no network, or a release without this version.
    }
  }
  return { fix: aptInstall(`clang-${VERSIONS[0]} libclang-rt-${VERSIONS[0]}-dev`) };
}
