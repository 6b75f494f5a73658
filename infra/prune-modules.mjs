/**
 * `node infra/prune-modules.mjs WORKSPACE [NAME…]`: removes from node_modules what the workspace does not run with, and the
 * packages NAME though some package asks for them. npm's own `--workspace` keeps development packages of linked workspaces
 * and whatever is an optional peer of something, which for the API is all of Next.js.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';

const [workspace, ...without] = process.argv.slice(2);
const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
if (!packages[workspace]) throw new Error(`WORKSPACE: found ${workspace}, expected a folder such as apps/api`);

/** @returns {string | undefined} where `require(name)` of a module in `folder` finds it, by the rules of Node */
function find(name, folder) {
  for (let at = folder; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/')))) {
    const path = [at, 'node_modules', name].filter(Boolean).join('/');
    if (packages[path]) return path;
    if (!at) return undefined;
  }
}

function namesOf({ dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta }) {
  const peers = Object.keys(peerDependencies ?? {}).filter((name) => !peerDependenciesMeta?.[name]?.optional);
  return [...Object.keys({ ...dependencies, ...optionalDependencies }), ...peers].filter((name) => !without.includes(name));
}

const kept = new Set();
const queue = [workspace];
for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
  if (kept.has(path)) continue;
  kept.add(path);
  const { link, resolved } = packages[path];
  if (link) queue.push(resolved);
  else queue.push(...namesOf(packages[path]).map((name) => find(name, path)).filter(Boolean));
}

const gone = Object.keys(packages).filter((path) => path.includes('node_modules/') && !kept.has(path) && existsSync(path));
for (const path of [...gone, 'node_modules/.bin']) rmSync(path, { recursive: true, force: true });
console.log(`${workspace}: ${kept.size} packages kept, ${gone.length} removed`);
