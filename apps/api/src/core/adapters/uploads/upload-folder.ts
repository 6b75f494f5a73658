/** The folder of uploaded files, on a disk that all copies of the API share. tus writes into it, this reads. */
import { Inject, Injectable } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import { mkdirSync } from 'node:fs';
import { link, mkdtemp, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CONFIG, type Config } from '../../../base/config/config.js';
import type { AdapterFileRow, AdapterRow } from '../../../models/adapter.model.js';
import { ADAPTER_FILES, type AdapterFileName } from '../adapter-content.js';
import type { AdapterFileType } from '../adapter.types.js';
import { UploadStore } from './upload-store.js';

/** Paths of an adapter's files, whole. */
export type UploadedFiles = Record<AdapterFileName, string>;

/** Folders made for an inspection begin with this; see `UploadCleaner`. */
export const INSPECTION_PREFIX = 'inspection-';

@Injectable()
export class UploadFolder {
  readonly path: string;
  /** tus's own: the bytes, and a small JSON file beside them with the upload's length and metadata. */
  readonly store: UploadStore;

  constructor(@Inject(CONFIG) config: Config) {
    this.path = config.UPLOADS_DIR;
    mkdirSync(this.path, { recursive: true });
    // Its own expiry counts from an upload's creation; ours, in `UploadCleaner`, from the last byte.
    this.store = new UploadStore({ directory: this.path });
  }

  /** The disk knows best how much has come; the rows of a finished adapter say so themselves. */
  progress(row: AdapterRow): Promise<AdapterFileType[]> {
    return Promise.all(
      row.files.map(async (file) => ({
        name: file.name,
        bytes: Number(file.bytes),
        received: row.status === 'UPLOADING' ? await this.received(file) : Number(file.received),
        sha256: row.status === 'READY' ? file.sha256 : null,
      })),
    );
  }

  /** @throws ADAPTER_NOT_READY naming the file that is not whole yet. */
  async complete(row: AdapterRow): Promise<UploadedFiles> {
    const paths = {} as UploadedFiles;
    for (const name of ADAPTER_FILES) {
      const file = row.files.find((one) => one.name === name);
      const received = file ? await this.received(file) : 0;
      if (!file?.uploadId || received < Number(file.bytes)) {
        throw new ArilError('ADAPTER_NOT_READY', `${name}: found ${received} bytes, expected ${file?.bytes ?? 'an upload'}; finish its upload first`, name);
      }
      paths[name] = join(this.path, file.uploadId);
    }
    return paths;
  }

  /** Runs `work` on a folder in which the files have their own names, as PEFT has them. */
  async asFolder<T>(files: UploadedFiles, work: (folder: string) => Promise<T>): Promise<T> {
    const folder = await mkdtemp(join(this.path, INSPECTION_PREFIX));
    try {
      // Links, not copies: weights can be large, and an uploaded file that is whole does not change any more.
      for (const name of ADAPTER_FILES) await link(files[name], join(folder, name));
      return await work(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** When something last happened: the adapter was created, or bytes came. Milliseconds since the epoch. */
  async lastTouchedMs(row: AdapterRow): Promise<number> {
    const times = row.files.map(async ({ uploadId }) => {
      const found = uploadId ? await stat(join(this.path, uploadId)).catch(() => null) : null;
      return found?.mtimeMs ?? 0;
    });
    return Math.max(row.createdAt.getTime(), ...(await Promise.all(times)));
  }

  async removeOf(row: AdapterRow): Promise<void> {
    for (const { uploadId } of row.files) if (uploadId) await this.remove(uploadId);
  }

  /** Removing what is not there succeeds. */
  async remove(uploadId: string): Promise<void> {
    await rm(join(this.path, uploadId), { force: true });
    await rm(join(this.path, `${uploadId}.json`), { force: true });
  }

  private async received({ uploadId, bytes }: AdapterFileRow): Promise<number> {
    if (!uploadId) return 0;
    try {
      return Math.min((await stat(join(this.path, uploadId))).size, Number(bytes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
      throw error;
    }
  }
}
