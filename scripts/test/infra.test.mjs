/** What of infra/ can go stale without an image being built: paths, manifests, names of variables. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const read = (path) => readFileSync(join(REPOSITORY, path), 'utf8');
const manifest = (folder) => JSON.parse(read(join(folder, 'package.json')));

const dockerfile = read('infra/Dockerfile');
const copies = [...dockerfile.matchAll(/^COPY (?!--from)(.+)$/gm)].flatMap(([, paths]) =>
  paths.trim().split(/\s+/).slice(0, -1),
);

/** @returns {string[]} folders of the workspaces that `folder` needs to run, itself among them */
function workspacesOf(folder) {
  const own = Object.keys(manifest(folder).dependencies).filter((name) => name.startsWith('@aril/'));
  return [folder, ...own.flatMap((name) => workspacesOf(join('packages', name.slice('@aril/'.length))))];
}

describe('Dockerfile', () => {
  it('copies what there is', () => {
    expect(copies.length).toBeGreaterThan(10);
    expect(copies.filter((path) => !existsSync(join(REPOSITORY, path)))).toEqual([]);
  });

  it('copies from stages before', () => {
    const stages = [];
    for (const line of dockerfile.split('\n')) {
      const from = /^COPY --from=(\S+)/.exec(line)?.[1] ?? /^FROM (?!node:)(\S+)/.exec(line)?.[1];
      if (from) expect(stages).toContain(from);
      const stage = /^FROM \S+ AS (\S+)/.exec(line)?.[1];
      if (stage) stages.push(stage);
    }
    expect(stages).toEqual(expect.arrayContaining(['api', 'runner', 'runner-cuda', 'portal', 'tools']));
  });

  it.each(['apps/api', 'apps/gpu-runner', 'apps/portal', 'packages/local-services'])(
    'has the manifests of %s and of the packages that it needs',
    (folder) => {
      const wanted = workspacesOf(folder).map((workspace) => `${workspace}/package.json`);
      expect(copies).toEqual(expect.arrayContaining(wanted));
    },
  );
});

describe('variables', () => {
  const templates = readdirSync(join(REPOSITORY, 'infra/helm/aril/templates')).filter((name) => name.endsWith('.yaml'));
  const files = ['infra/compose.yaml', 'infra/helm/aril/templates/_helpers.tpl', ...templates.map((name) => `infra/helm/aril/templates/${name}`)];
  const documented = new Set([...read('.env.example').matchAll(/^#? ?([A-Z][A-Z0-9_]+)=/gm)].map(([, name]) => name));
  /** Of the database's image, of Docker's, and a key that the chart's Secret has under another name. */
  const OTHERS = /^(POSTGRES_(USER|PASSWORD|DB)|OWNER_DATABASE_URL)$/;

  it.each(files)('that %s sets are in .env.example', (file) => {
    const text = read(file);
    const names = [
      ...[...text.matchAll(/^\s+([A-Z][A-Z0-9_]+): /gm)].map(([, name]) => name),
      ...[...text.matchAll(/name: ([A-Z][A-Z0-9_]+)\b/g)].map(([, name]) => name),
      ...[...text.matchAll(/\(dict ("[A-Z].*?)\)/g)].flatMap(([, pairs]) => pairs.match(/[A-Z][A-Z0-9_]+/g)),
    ];
    expect(names.filter((name) => !documented.has(name) && !OTHERS.test(name))).toEqual([]);
  });
});
