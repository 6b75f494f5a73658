/** A browser for the end-to-end tests: the system's Chromium, else the distribution's package unpacked into the cache. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../../packages/local-services/src/find-program.mjs';
import { aptInstall } from './tools.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/**
 * @param {import('./settings.mjs').Settings} settings
 * @returns {Promise<{ path: string, libraries: string } | { fix: string }>} libraries: a LD_LIBRARY_PATH it needs, or ''
 */
export async function findChromium(settings) {
  const given = process.env.CHROMIUM_PATH;
  if (given) return { path: given, libraries: '' };
  const installed = NAMES.map((name) => findProgram(name)).find(Boolean);
  if (installed) return { path: installed, libraries: '' };
  try {
    const { libraryPath, unpackPackages } = await import('../../packages/local-services/src/apt.mjs');
    const packages = ['chromium', 'fonts-dejavu-core'];
    const root = await unpackPackages({ packages, folder: join(settings.cache, 'chromium') });
    // /usr/bin/chromium is a script that looks for its parts in /usr; the program itself finds them beside it.
    const path = join(root, 'usr', 'lib', 'chromium', 'chromium');
    if (existsSync(path)) return { path, libraries: libraryPath(root) };
  } catch {
    // Not a Debian, or Ubuntu, whose package only points to a snap: the user has to provide one.
  }
  return { fix: aptInstall('chromium') };
}
