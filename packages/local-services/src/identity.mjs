/**
 * Who a process is. A process id alone is not enough: after a crash the number may belong to a stranger, and
 * stopping that stranger would be worse than leaving a stale file. The kernel's start time of the process,
 * together with the boot it belongs to, makes the number unambiguous.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';

/** @typedef {{ pid: number, startTicks: string, bootId: string }} ProcessIdentity */

function bootId() {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** @param {number} pid @returns {{ state: string, startTicks: string } | null} null when there is no such process */
function processStat(pid) {
  try {
    // The command name is in parentheses and may itself hold spaces and parentheses: split after the last one.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0], startTicks: fields[19] };
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return null;
    throw error;
  }
}

/** @param {number} pid @returns {ProcessIdentity | null} */
export function identify(pid) {
  const stat = processStat(pid);
  return stat && { pid, startTicks: stat.startTicks, bootId: bootId() };
}

/** @param {ProcessIdentity} identity True while exactly that process runs; a zombie has stopped running. */
export function isAlive(identity) {
  if (identity.bootId !== bootId()) return false;
  const stat = processStat(identity.pid);
  return stat !== null && stat.startTicks === identity.startTicks && stat.state !== 'Z';
}

/** @param {string} file @param {number} pid */
export function writeIdentity(file, pid) {
  writeFileSync(file, `${JSON.stringify(identify(pid))}\n`);
}

/** @param {string} file @returns {ProcessIdentity | null} null when the file is absent or was cut short by a crash */
export function readIdentity(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}

/** @param {string} file */
export function forgetIdentity(file) {
  rmSync(file, { force: true });
}
