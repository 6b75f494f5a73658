/** Reads `multipart/form-data` with one file in it, which goes on as it comes; the fields may come before it or after. */
import { ArilError } from '@aril/contracts';
import busboy from 'busboy';
import type { Request } from 'express';
import type { Readable } from 'node:stream';

interface Form<T> {
  fields: ReadonlyMap<string, string>;
  /** What was made of the file. null: there was none. */
  taken: T | null;
}

/** Many more than any client sends. */
const FIELDS_MAX = 32;
const FIELD_BYTES_MAX = 4_096;

/** `take` has to read the stream, which fails where the file is too large or cut off. */
export async function readForm<T>(request: Request, bytesMax: number, take: (filename: string, bytes: Readable) => Promise<T>): Promise<Form<T>> {
  const fields = new Map<string, string>();
  let taken: Promise<T> | null = null;
  const parser = parserOf(request, bytesMax);
  parser.on('field', (name, value) => fields.set(name, value));
  parser.on('file', (name, stream, { filename }) => {
    if (name !== 'file' || taken) return void stream.resume();
    // Told by whoever reads it; one that nobody reads yet must not end the process.
    stream.on('error', () => undefined);
    stream.once('limit', () => stream.destroy(tooLarge(bytesMax)));
    taken = take(filename, stream);
    // What fails is told below; a parser whose file nobody reads would wait for ever.
    taken.catch((error: unknown) => parser.destroy(error as Error));
  });
  try {
    await parsed(request, parser);
    return { fields, taken: await taken };
  } finally {
    request.unpipe(parser);
    // A client that is answered while it sends has to be heard out.
    request.resume();
  }
}

function parserOf(request: Request, bytesMax: number): busboy.Busboy {
  const { headers } = request;
  if (Number(headers['content-length'] ?? 0) > bytesMax + FIELDS_MAX * FIELD_BYTES_MAX) throw tooLarge(bytesMax);
  try {
    return busboy({ headers, defParamCharset: 'utf8', limits: { files: 1, fileSize: bytesMax, fields: FIELDS_MAX, fieldSize: FIELD_BYTES_MAX } });
  } catch (cause) {
    throw new ArilError('BAD_INPUT', 'file: expected multipart/form-data with the fields purpose and file', 'file', { cause });
  }
}

function parsed(request: Request, parser: busboy.Busboy): Promise<void> {
  return new Promise((resolve, reject) => {
    const cutOff = (): void => void (request.complete || parser.destroy(new ArilError('BAD_INPUT', 'file: the upload was cut off', 'file')));
    request.once('close', cutOff);
    parser.once('error', (error: unknown) => reject(error instanceof ArilError || !isParserError(error) ? error : malformed(error)));
    parser.once('close', resolve);
    request.pipe(parser);
  });
}

/** Busboy's own have no code, what comes from a disk or a store has one. */
const isParserError = (error: unknown): boolean => error instanceof Error && !('code' in error) && !('$metadata' in error);

const malformed = (cause: unknown): ArilError => new ArilError('BAD_INPUT', 'file: the form could not be read to its end', 'file', { cause });

const tooLarge = (bytesMax: number): ArilError => new ArilError('PAYLOAD_TOO_LARGE', `file: found more, expected at most ${bytesMax} bytes`, 'file');
