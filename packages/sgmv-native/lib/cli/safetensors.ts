/** The tensors of a safetensors file that are float32 or int32. */
import { open, type FileHandle } from 'node:fs/promises';
import { CliError } from './cli-error.js';

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

export interface FloatTensor {
  shape: number[];
  data: Float32Array;
}

async function readExactly(
  file: FileHandle,
  path: string,
  position: number,
  length: number,
): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  if (bytesRead !== length)
    throw new CliError('bad_golden', `${path}: ends early; expected ${length} bytes at ${position}.`);
  return buffer;
}

export class SafetensorsFile {
  private constructor(
    private readonly file: FileHandle,
    private readonly path: string,
    private readonly begin: number,
    private readonly entries: Record<string, Entry>,
  ) {}

  static async open(path: string): Promise<SafetensorsFile> {
    const file = await open(path).catch(() => {
      throw new CliError('bad_golden', `${path}: cannot be opened.`);
    });
    try {
      const { size } = await file.stat();
      const length = Number((await readExactly(file, path, 0, 8)).readBigUInt64LE());
      if (length > size - 8) throw new CliError('bad_golden', `${path}: is not a safetensors file.`);
      const header = (await readExactly(file, path, 8, length)).toString('utf8');
      return new SafetensorsFile(file, path, 8 + length, JSON.parse(header) as Record<string, Entry>);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  names(): string[] {
    return Object.keys(this.entries).filter((name) => name !== '__metadata__');
  }

  /** Null when there is no such tensor. */
  async read(name: string): Promise<FloatTensor | null> {
    const entry = this.entries[name];
    return entry ? { shape: entry.shape, data: new Float32Array(await this.bytes(name, entry, 'F32')) } : null;
  }

  /** Null when there is no such tensor. */
  async readIntegers(name: string): Promise<Int32Array | null> {
    const entry = this.entries[name];
    return entry ? new Int32Array(await this.bytes(name, entry, 'I32')) : null;
  }

  private async bytes(name: string, { dtype, data_offsets: [from, to] }: Entry, wanted: string): Promise<ArrayBuffer> {
    if (dtype !== wanted)
      throw new CliError('bad_golden', `${this.path}: ${name}: found ${dtype}; expected ${wanted}.`);
    const bytes = await readExactly(this.file, this.path, this.begin + from, to - from);
    const copy = new ArrayBuffer(bytes.length);
    new Uint8Array(copy).set(bytes);
    return copy;
  }

  close(): Promise<void> {
    return this.file.close();
  }
}
