/** Weights from a plain HTTPS address. What an interrupted attempt left is continued, not fetched again. */
import { createWriteStream, existsSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { runCommand } from './run.mjs';
import { findProgram } from '../../packages/local-services/src/find-program.mjs';

/** A connection that says nothing for this long is given up. */
const SILENCE_MS = 30_000;

const sizeOf = (path) => (existsSync(path) ? statSync(path).size : 0);

/** Node 20's fetch knows no proxies; curl does. */
const needsCurl = () =>
  Boolean(process.env.HTTPS_PROXY || process.env.https_proxy || process.env.ALL_PROXY) &&
  Boolean(findProgram('curl'));

async function fetchWithCurl(url, target, { settings }) {
  const args = [
    '--fail',
    '--silent',
    '--show-error',
    '--location',
    '--retry',
    '3',
    '--connect-timeout',
    '20',
    '--continue-at',
    '-',
    '--output',
    target,
    url,
  ];
  await runCommand('curl', args, {
    cwd: settings.repository,
    log: join(settings.logs, 'model-download.log'),
  });
}

async function fetchWithNode(url, target) {
  const have = sizeOf(target);
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(new Error('no answer')), SILENCE_MS);
  try {
    const response = await fetch(url, {
      headers: have ? { range: `bytes=${have}-` } : {},
      signal: silence.signal,
    });
    if (!response.ok || !response.body)
      throw new Error(`it answered ${response.status} ${response.statusText}`);
    // A server that ignores the range sends everything from the start again.
    const file = createWriteStream(target, { flags: response.status === 206 ? 'a' : 'w' });
    const body = Readable.fromWeb(response.body);
    body.on('data', () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(new Error('the connection fell silent')), SILENCE_MS);
    });
    await pipeline(body, file);
  } catch (error) {
    throw new Error(error.cause?.message || error.cause?.code || error.message, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** @param {{ url: string }} source @param {string} target */
export async function fetchFromUrl({ url }, target, weights, context) {
  // A piece as long as the whole, or longer, is not the beginning of the right file.
  if (sizeOf(target) >= weights.bytes) rmSync(target, { force: true });
  const timer = setInterval(
    () => context.note(`${Math.floor((100 * sizeOf(target)) / weights.bytes)} %`),
    500,
  );
  try {
    await (needsCurl() ? fetchWithCurl(url, target, context) : fetchWithNode(url, target));
  } finally {
    clearInterval(timer);
  }
}
