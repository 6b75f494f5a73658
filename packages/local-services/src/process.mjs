/**
 * Long-running children: each in its own process group, so that Ctrl-C in the terminal reaches only us and we
 * stop the children in order; each with a log file; each told by the kernel to stop when we die without saying
 * goodbye (`setpriv --pdeathsig`), so that a SIGKILL of the parent leaves no orphans behind.
 * Uses Node built-ins only: the bootstrap needs it before dependencies are installed.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { forgetIdentity, isAlive, readIdentity, writeIdentity } from './identity.mjs';

export const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path)) ?? null;
/** A log that has grown past this is set aside once (`.1`) when its process starts again. */
const LOG_BYTES_MAX = 16 * 1024 * 1024;

/**
 * @typedef {object} ProcessOptions
 * @property {string} command
 * @property {string[]} args
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env]
 * @property {string} log file that gets stdout and stderr
 * @property {string} [pidFile] remembers the child, so that a later start finds it if this one is killed
 * @property {NodeJS.Signals} [stopSignal] what asks it to stop cleanly; also sent by the kernel if we die
 * @property {number} [graceMs] how long it may take to stop before it is killed
 * @property {string[]} [setpriv] further setpriv options (the account to run as)
 */

/** @param {string} log */
function openLog(log) {
  mkdirSync(dirname(log), { recursive: true });
  if (existsSync(log) && statSync(log).size > LOG_BYTES_MAX) renameSync(log, `${log}.1`);
  return openSync(log, 'a', 0o600);
}

/** @param {string} log @param {number} [lines] The last lines of a log, to show with a failure. */
export function logTail(log, lines = 15) {
  if (!existsSync(log)) return '';
  return readFileSync(log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
}

/** @param {number} pid negative for a process group @param {NodeJS.Signals} signal */
function sendSignal(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** @param {ProcessOptions} options */
export function startProcess(options) {
  const stopSignal = options.stopSignal ?? 'SIGTERM';
  const wrapper = SETPRIV ? [SETPRIV, '--pdeathsig', stopSignal.slice(3), ...(options.setpriv ?? [])] : [];
  const [command, ...args] = [...wrapper, options.command, ...options.args];
  const log = openLog(options.log);
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  if (options.pidFile && child.pid) writeIdentity(options.pidFile, child.pid);

  /** @type {Promise<{ code: number | null, signal: NodeJS.Signals | null }>} */
  const exited = new Promise((resolve) => {
    child.once('error', () => resolve({ code: 127, signal: null }));
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  let running = true;
  exited.then(() => {
    running = false;
    if (options.pidFile) forgetIdentity(options.pidFile);
  });

  async function stop() {
    if (!running || !child.pid) return;
    sendSignal(child.pid, stopSignal);
    const timer = setTimeout(() => sendSignal(-child.pid, 'SIGKILL'), options.graceMs ?? 10_000);
    await exited;
    clearTimeout(timer);
    // Its own children, if any outlived it, are in the group it led.
    sendSignal(-child.pid, 'SIGKILL');
  }

  return { pid: child.pid, log: options.log, exited, stop, isRunning: () => running };
}

/**
 * Stops what an earlier, killed start left running, if its pid file still names a living process.
 * @param {string} pidFile @param {NodeJS.Signals} [signal] @param {number} [graceMs]
 */
export async function stopLeftover(pidFile, signal = 'SIGTERM', graceMs = 10_000) {
  const identity = readIdentity(pidFile);
  if (!identity) return;
  const deadline = Date.now() + graceMs;
  if (isAlive(identity)) sendSignal(identity.pid, signal);
  while (isAlive(identity) && Date.now() < deadline) await sleep(50);
  if (isAlive(identity)) sendSignal(-identity.pid, 'SIGKILL');
  while (isAlive(identity) && Date.now() < deadline + 5_000) await sleep(50);
  forgetIdentity(pidFile);
}
