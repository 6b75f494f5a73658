import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { AdapterFetchError } from './adapter-download.js';

interface Entry {
  bytes: number;
  usedAtMs: number;
}

/** Partial downloads older than this belong to a runner that died. */
const PARTIAL_AGE_MS_MAX = 3_600_000;

/**
 * What lies in the cache folder, in bytes and by last use; the folders' mtimes carry the order over restarts.
 * Several runners may share the folder: an entry that vanished is found out when it is verified before use.
 */
export class CacheFolder {
  readonly #entries = new Map<string, Entry>();
  readonly #pins = new Map<string, number>();
  #evicted = 0;
  readonly partial: string;

  private constructor(
    private readonly dir: string,
    private readonly bytesMax: number,
  ) {
    this.partial = path.join(dir, '.partial');
  }

  static async open(dir: string, bytesMax: number): Promise<CacheFolder> {
    const folder = new CacheFolder(path.resolve(dir), bytesMax);
    await mkdir(folder.partial, { recursive: true });
    await folder.#sweepPartial();
    await folder.#scan();
    return folder;
  }

  pathOf(sha256: string): string {
    return path.join(this.dir, sha256);
  }

  has(sha256: string): boolean {
    return this.#entries.has(sha256);
  }

  /** A pinned entry is not evicted until every pin is released. */
  pin(sha256: string): () => void {
    this.#pins.set(sha256, (this.#pins.get(sha256) ?? 0) + 1);
    return () => {
      const left = (this.#pins.get(sha256) ?? 1) - 1;
      if (left > 0) this.#pins.set(sha256, left);
      else this.#pins.delete(sha256);
    };
  }

  async touch(sha256: string): Promise<void> {
    const entry = this.#entries.get(sha256);
    const now = new Date();
    if (entry) entry.usedAtMs = now.getTime();
    await utimes(this.pathOf(sha256), now, now).catch(() => {});
  }

  add(sha256: string, bytes: number): void {
    this.#entries.set(sha256, { bytes, usedAtMs: Date.now() });
  }

  /** Renamed first, so that a reader never sees half an entry. */
  async remove(sha256: string): Promise<void> {
    this.#entries.delete(sha256);
    const away = path.join(this.partial, `removed-${randomBytes(8).toString('hex')}`);
    await rename(this.pathOf(sha256), away).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    await rm(away, { recursive: true, force: true });
  }

  async makeRoom(bytes: number): Promise<void> {
    if (bytes > this.bytesMax) {
      throw new AdapterFetchError(`the adapter takes ${bytes} bytes, the runner's cache holds at most ${this.bytesMax}`, true);
    }
    while (this.#used() + bytes > this.bytesMax) {
      // All that is left is in use: go over the limit for a moment rather than fail; the next fetch makes up for it.
      if (!(await this.removeOldestIdle())) return;
    }
  }

  /** False: nothing that is not in use is left. */
  async removeOldestIdle(): Promise<boolean> {
    const oldest = this.#oldestIdle();
    if (oldest === undefined) return false;
    await this.remove(oldest);
    this.#evicted += 1;
    return true;
  }

  usage(): { adapters: number; bytes: number; bytesMax: number; evicted: number } {
    return { adapters: this.#entries.size, bytes: this.#used(), bytesMax: this.bytesMax, evicted: this.#evicted };
  }

  #used(): number {
    let sum = 0;
    for (const { bytes } of this.#entries.values()) sum += bytes;
    return sum;
  }

  #oldestIdle(): string | undefined {
    let oldest: [string, Entry] | undefined;
    for (const candidate of this.#entries) {
      if (this.#pins.has(candidate[0])) continue;
      if (!oldest || candidate[1].usedAtMs < oldest[1].usedAtMs) oldest = candidate;
    }
    return oldest?.[0];
  }

  async #scan(): Promise<void> {
    for (const name of await readdir(this.dir)) {
      if (!/^[0-9a-f]{64}$/.test(name)) continue;
      const at = this.pathOf(name);
      const files = await readdir(at).catch(() => []);
      const sizes = await Promise.all(files.map(async (file) => (await stat(path.join(at, file)).catch(() => null))?.size ?? 0));
      const usedAtMs = (await stat(at).catch(() => null))?.mtimeMs ?? 0;
      this.#entries.set(name, { bytes: sizes.reduce((sum, size) => sum + size, 0), usedAtMs });
    }
  }

  async #sweepPartial(): Promise<void> {
    for (const name of await readdir(this.partial)) {
      const at = path.join(this.partial, name);
      const info = await stat(at).catch(() => null);
      if (info && Date.now() - info.mtimeMs > PARTIAL_AGE_MS_MAX) await rm(at, { recursive: true, force: true });
    }
  }
}
