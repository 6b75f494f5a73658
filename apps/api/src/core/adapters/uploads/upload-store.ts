import { statfs } from 'node:fs/promises';
import { FileStore } from '@tus/file-store';

type Write = FileStore['write'];

/** A write that fails on less was most likely refused for want of space. */
const ROOM_BYTES = 64 * 1024;

/** tus's own store says of any failed write that it failed. Of a full disk a client should know that it may come back. */
export class UploadStore extends FileStore {
  override async write(...[bytes, id, offset]: Parameters<Write>): ReturnType<Write> {
    try {
      return await super.write(bytes, id, offset);
    } catch (cause) {
      const { bavail, bsize } = await statfs(this.directory);
      if (bavail * bsize >= ROOM_BYTES) throw cause;
      throw Object.assign(new Error('no space left for uploads', { cause }), { code: 'ENOSPC' });
    }
  }
}
