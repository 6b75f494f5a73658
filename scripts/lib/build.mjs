/**
 * Builds the workspaces that changed. A workspace is built again when its sources, those of a workspace it depends
 * on, or the installed packages changed; everything else is left as it is. The record lives in node_modules, so it
 * goes with the packages it was built with.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fingerprint } from './fingerprint.mjs';
import { runCommand } from './run.mjs';

/** Sources outside the workspace's own folder, and an output that must exist for a build to count. */
const EXTRAS = {
  '@aril/api': { sources: ['prisma'], output: 'dist/main.js' },
  '@aril/gpu-runner': { sources: [], output: 'dist/main.js' },
  '@aril/portal': { sources: ['apps/api/schema.graphql'], output: '.next/BUILD_ID' },
  '@aril/sgmv-native': { sources: [], output: 'dist/index.js' },
};

/** @typedef {{ name: string, path: string, needs: string[], output: string, sources: string[] }} Workspace */

/** @param {string} repository @returns {Workspace[]} those with a build script */
export function workspaces(repository) {
  const folders = ['packages', 'apps'].flatMap((parent) =>
    readdirSync(join(repository, parent)).map((name) => `${parent}/${name}`),
  );
  return folders
    .filter((path) => existsSync(join(repository, path, 'package.json')))
    .map((path) => ({
      path,
      manifest: JSON.parse(readFileSync(join(repository, path, 'package.json'), 'utf8')),
    }))
    .filter(({ manifest }) => manifest.scripts?.build)
    .map(({ path, manifest }) => {
      const dependencies = { ...manifest.dependencies, ...manifest.devDependencies };
      const needs = Object.keys(dependencies).filter(
        (name) => name.startsWith('@aril/') && name !== '@aril/local-services',
      );
      const { output = 'dist/index.js', sources = [] } = EXTRAS[manifest.name] ?? {};
      return { name: manifest.name, path, needs, output: join(path, output), sources: [path, ...sources] };
    });
}

/** Fingerprints that include those of what a workspace needs, so that a change travels up. */
function fingerprints(repository, all) {
  const common = fingerprint(
    repository,
    ['package-lock.json', 'tsconfig.base.json'],
    [process.version, process.arch],
  );
  const known = new Map();
  const of = (name) => {
    const { sources, needs } = all.find((workspace) => workspace.name === name);
    if (!known.has(name)) known.set(name, fingerprint(repository, sources, [common, ...needs.map(of)]));
    return known.get(name);
  };
  all.forEach(({ name }) => of(name));
  return known;
}

const stampFile = (repository, name) =>
  join(repository, 'node_modules', '.cache', 'aril-build', name.replace('/', '-'));

/** @returns {{ pending: Workspace[], prints: Map<string, string> }} */
export function pendingBuilds(repository) {
  const all = workspaces(repository);
  const prints = fingerprints(repository, all);
  const isCurrent = ({ name, output }) => {
    const stamp = stampFile(repository, name);
    return (
      existsSync(join(repository, output)) &&
      existsSync(stamp) &&
      readFileSync(stamp, 'utf8') === prints.get(name)
    );
  };
  return { pending: all.filter((workspace) => !isCurrent(workspace)), prints };
}

function buildEnvironment(repository) {
  return {
    ...process.env,
    NODE_ENV: 'production',
    NEXT_TELEMETRY_DISABLED: '1',
    CHECKPOINT_DISABLE: '1',
    // `prisma generate` only asks that the file exists; without it, it would download an engine.
    PRISMA_SCHEMA_ENGINE_BINARY: join(repository, 'packages/local-services/src/schema-engine.mjs'),
  };
}

/** Builds one workspace and records what it was built from. */
function buildOne(workspace, print, settings, report) {
  const name = workspace.name.replace('@aril/', '');
  return report.step(`Build ${name}`, async (step) => {
    await runCommand('npm', ['run', '--silent', 'build'], {
      cwd: join(settings.repository, workspace.path),
      log: join(settings.logs, `build-${name}.log`),
      env: buildEnvironment(settings.repository),
      note: step.note,
    });
    const stamp = stampFile(settings.repository, workspace.name);
    mkdirSync(dirname(stamp), { recursive: true });
    writeFileSync(stamp, print);
    step.note('');
  });
}

/**
 * Builds what is pending, two workspaces at a time at most: the native build fills further cores by itself. What
 * needs a workspace that failed is not tried.
 * @param {import('./settings.mjs').Settings} settings @param {import('./report.mjs').Report} report
 * @param {{ keepGoing?: boolean }} [options] keepGoing: builds all that can be built before it reports a failure
 * @returns {Promise<{ built: string[], failures: Error[] }>}
 */
export async function buildAll(settings, report, { keepGoing = false } = {}) {
  const { pending, prints } = pendingBuilds(settings.repository);
  const unbuilt = new Set(pending.map(({ name }) => name));
  const queue = [...pending];
  const built = [];
  const failures = [];
  const takeNext = () => {
    const index = queue.findIndex(({ needs }) => !needs.some((name) => unbuilt.has(name)));
    return index < 0 ? null : queue.splice(index, 1)[0];
  };
  const running = new Set();
  while (queue.length > 0 || running.size > 0) {
    const workspace = running.size < Math.min(2, availableParallelism()) && takeNext();
    if (workspace) {
      const work = buildOne(workspace, prints.get(workspace.name), settings, report).then(
        () => {
          unbuilt.delete(workspace.name);
          built.push(workspace.name);
        },
        (error) => failures.push(error),
      );
      running.add(work);
      work.then(() => running.delete(work));
    } else if (running.size > 0) await Promise.race(running);
    else break;
    if (failures.length > 0 && !keepGoing) throw failures[0];
  }
  return { built, failures };
}
