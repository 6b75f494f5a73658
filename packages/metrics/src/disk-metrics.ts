import { statfs } from 'node:fs/promises';
import type { Registry } from 'prom-client';
import { gaugesOf } from './kept-elsewhere.js';

/** Bytes of the disk that `folder` is on, by `kind`: its `size`, and what is `free` for us. */
export function addDiskMetrics(registry: Registry, named: { name: string; help: string }, folder: string): void {
  gaugesOf(registry, { ...named, labelNames: ['kind'] }, async () => {
    const { blocks, bavail, bsize } = await statfs(folder);
    return [
      { labels: { kind: 'size' }, value: blocks * bsize },
      { labels: { kind: 'free' }, value: bavail * bsize },
    ];
  });
}
