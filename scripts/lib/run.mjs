/**
 * Short-lived commands of the bootstrap (npm ci, cmake, next build): output goes to a log, the last line of it is
 * progress, and Ctrl-C ends the whole process group, because npm and make have children of their own.
 */
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { setPriority } from 'node:os';
import { dirname } from 'node:path';
import { Failure, describeDiskError } from './failure.mjs';

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
let interrupted = false;

/** Ends what is running and lets nothing new start: the user has pressed Ctrl-C. */
export function interruptCommands() {
  interrupted = true;
  for (const child of running) {
    try {
      process.kill(-child.pid, 'SIGTERM');
    } catch {
      // It has just ended by itself.
    }
  }
}

function lowerPriority(pid, nice) {
  try {
    setPriority(pid, nice);
  } catch {
    // It has not come to life, or has ended by itself.
  }
}

export class Interrupted extends Error {}

/** @param {string} chunk The last line that says something, short enough for one terminal line. */
function lastLine(chunk) {
  // Colours and cursor movements of tools that think they are on a terminal.
  const lines = chunk
    .replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '')
    .split(/[\r\n]+/)
    .map((line) => line.trim());
  return lines.filter(Boolean).at(-1)?.slice(0, 70) ?? '';
}

/**
 * @param {string} command @param {string[]} args
 * @param {{ cwd: string, log: string, env?: NodeJS.ProcessEnv, note?: (text: string) => void, fix?: string, nice?: number }} options nice: as the command
 * @returns {Promise<string>} what it printed
 */
export async function runCommand(command, args, { cwd, log, env, note, fix, nice = 0 }) {
  if (interrupted) throw new Interrupted();
  mkdirSync(dirname(log), { recursive: true });
  const file = createWriteStream(log);
  file.on('error', () => {});
  file.write(`$ ${command} ${args.join(' ')}\n`);
  const child = spawn(command, args, {
    cwd,
    env: env ?? process.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  running.add(child);
  if (nice !== 0) lowerPriority(child.pid, nice);
  let output = '';
  const collect = (chunk) => {
    file.write(chunk);
    output = (output + chunk).slice(-200_000);
    const line = lastLine(String(chunk));
    if (line) note?.(line);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const code = await new Promise((resolve) => {
    child.once('error', (error) => {
      collect(`${error.message}\n`);
      resolve(127);
    });
    child.once('close', (exit) => resolve(exit ?? 1));
  });
  running.delete(child);
  await new Promise((resolve) => file.end(resolve));
  if (interrupted) throw new Interrupted();
  if (code === 0) return output;
  throw describeFailure(`${command} ${args.join(' ')}`, code, output, cwd, log, fix);
}

function describeFailure(command, code, output, cwd, log, fix) {
  if (/ENOSPC|No space left on device/.test(output))
    return describeDiskError({ code: 'ENOSPC', message: '' }, cwd);
  if (/ENOTFOUND|ETIMEDOUT|ECONNREFUSED|EAI_AGAIN|ECONNRESET/.test(output))
    return new Failure(
      `${command} could not reach the network.`,
      'Check the connection (and HTTPS_PROXY, if you use a proxy), then run npm start again.',
      { log },
    );
  return new Failure(
    `${command} failed with exit status ${code}.`,
    fix ?? 'The log says why; run npm start again when it is mended.',
    { log },
  );
}
