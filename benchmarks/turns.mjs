/**
 * Systems take turns, round after round, each in a process of its own that has the machine to itself: a noisy
 * machine is noisy for all of them, and none is measured while another one idles in memory.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** Runs a program to its end; its output is the error message if it fails. @returns {Promise<string>} stdout */
export function runProgram(command, args, { env = process.env, cwd } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr = (stderr + chunk).slice(-20_000)));
    child.once('error', reject);
    child.once('close', (code, signal) => {
      running.delete(child);
      if (code === 0) return resolve(stdout);
      const last = (stderr || stdout).trim().split('\n').slice(-12).join('\n');
      reject(new Error(`${command} ${args[0] ?? ''} ended with ${signal ?? code}:\n${last}`));
    });
  });
}

let turns = 0;

/** Hands a driver its specification and reads back what it wrote. */
export async function runTurn(folder, command, args, spec, env) {
  mkdirSync(folder, { recursive: true });
  const name = join(folder, `turn-${process.pid}-${++turns}`);
  writeFileSync(`${name}.spec.json`, JSON.stringify(spec));
  await runProgram(command, [...args, `${name}.spec.json`, `${name}.out.json`], { env });
  return JSON.parse(readFileSync(`${name}.out.json`, 'utf8'));
}

export const engineTurn = (context, spec) =>
  runTurn(context.scratch, process.execPath, [fileURLToPath(new URL('engine-turn.mjs', import.meta.url))], {
    options: context.engineOptions,
    ...spec,
  });

/**
 * @param {{ name: string, run: (round: number) => Promise<object> }[]} systems
 * @returns {Promise<Map<string, object[]>>} what each gave, round by round; a system that fails is left out from then on
 */
export async function takeTurns(systems, rounds, note) {
  const results = new Map(systems.map(({ name }) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const { name, run } of systems) {
      if (!results.has(name)) continue;
      note(`round ${round} of ${rounds}: ${name}`);
      try {
        results.get(name).push(await run(round));
      } catch (error) {
        if (name === OURS) throw error;
        note(`${name} is left out: ${error.message}`);
        results.delete(name);
      }
    }
  }
  return results;
}

export const OURS = 'aril';
