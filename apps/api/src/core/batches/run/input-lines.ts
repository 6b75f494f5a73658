/** Reads an input file line by line, from anywhere in it, without ever holding more than a piece of it. */
import type { ObjectStore } from '@aril/object-store';
import type { BatchLineRow } from '../../../models/batch.model.js';

/** As much as a live request may have. */
export const LINE_BYTES_MAX = 8 * 1024 * 1024;
const PIECE_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

export interface InputLine {
  /** 1, 2, 3 … within the file; blank ones count and are left out. */
  position: number;
  /** Where it begins, and where what follows its newline does. */
  start: number;
  end: number;
  /** null: it is longer than any may be. */
  text: string | null;
}

export interface InputFile {
  key: string;
  bytes: number;
}

/** A line that comes in parts. Of one that is too long only the length is kept. */
class Line {
  private parts: Buffer[] = [];
  private bytes = 0;

  constructor(
    private readonly position: number,
    private readonly start: number,
  ) {}

  add(part: Buffer): void {
    this.bytes += part.length;
    if (this.bytes > LINE_BYTES_MAX) this.parts = [];
    else this.parts.push(part);
  }

  end(newline: 0 | 1): InputLine {
    const text = this.bytes > LINE_BYTES_MAX ? null : Buffer.concat(this.parts).toString();
    return { position: this.position, start: this.start, end: this.start + this.bytes + newline, text };
  }
}

/** After `line` lines, which have `start` bytes. Each piece is fetched when it is needed: hours may pass between two. */
export async function* linesOf(objects: ObjectStore, file: InputFile, from = { line: 0, start: 0 }): AsyncGenerator<InputLine> {
  let { line: position, start } = from;
  let line = new Line(++position, start);
  for (let at = start; at < file.bytes; at += PIECE_BYTES) {
    let piece = await bytesOf(objects, file, at, Math.min(at + PIECE_BYTES, file.bytes));
    for (let newline = piece.indexOf(NEWLINE); newline >= 0; newline = piece.indexOf(NEWLINE)) {
      line.add(piece.subarray(0, newline));
      const whole = line.end(1);
      ({ end: start } = whole);
      piece = piece.subarray(newline + 1);
      line = new Line(++position, start);
      if (!isBlank(whole)) yield whole;
    }
    line.add(piece);
  }
  const last = line.end(0);
  if (!isBlank(last)) yield last;
}

/** One of them again. */
export async function lineAt(objects: ObjectStore, file: InputFile, { position, start, bytes }: Pick<BatchLineRow, 'position' | 'start' | 'bytes'>): Promise<InputLine> {
  const [from, end] = [Number(start), Number(start) + bytes];
  const line = new Line(position, from);
  line.add(await bytesOf(objects, file, from, end));
  return line.end(0);
}

async function bytesOf(objects: ObjectStore, { key }: InputFile, start: number, end: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of await objects.get(key, { start, end })) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const isBlank = ({ text }: InputLine): boolean => text !== null && text.trim() === '';
