/** What a build was made from: one hash over the content of its sources. Times and owners do not count. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

/** Folders that are outputs, or that nothing is built from. */
const SKIPPED = new Set([
  'node_modules',
  'dist',
  'build',
  '.next',
  'generated',
  'coverage',
  'test',
  'bench',
  '.swc',
]);
const SKIPPED_FILES = /\.test\.[cm]?tsx?$|\.tsbuildinfo$|^next-env\.d\.ts$|\.log$|\.md$/;

/** @param {string} path a file or a folder @returns {string[]} files, in a fixed order */
function filesBelow(path) {
  if (!statSync(path).isDirectory()) return [path];
  const entries = readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : filesBelow(join(path, entry.name));
    return entry.isFile() && !SKIPPED_FILES.test(entry.name) ? [join(path, entry.name)] : [];
  });
}

/** @param {string} root @param {string[]} paths relative to root @param {string[]} [facts] further things it depends on */
export function fingerprint(root, paths, facts = []) {
  const hash = createHash('sha256');
  for (const fact of facts) hash.update(`fact\0${fact}\0`);
  for (const file of paths.flatMap((path) => filesBelow(join(root, path))))
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  return hash.digest('hex');
}
