import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Registry } from '@aril/metrics';
import { parseConfig, type Config } from '../../src/config.js';
import { createLogger } from '../../src/logging.js';
import { RunnerMetrics } from '../../src/metrics/runner-metrics.js';
import { Runner } from '../../src/runner.js';
import { BASE_MODEL_ID, type World } from './fixtures.js';
import { ScriptedEngine } from './scripted-engine.js';

const packageDir = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
let runners = 0;

/** Locks that expire soon, so that takeovers do not take a test's patience. */
export function runnerEnvironment(world: World, changes: Record<string, string> = {}): Record<string, string> {
  const name = `runner-${++runners}`;
  return {
    REDIS_URL: world.redisUrl,
    BASE_MODEL_ID,
    MODEL_DIR: '/nonexistent',
    OBJECTS_DIR: path.join(world.dir, 'objects'),
    ADAPTER_CACHE_DIR: path.join(world.dir, 'cache', name),
    RUNNER_ID: name,
    LOCK_DURATION_MS: '1500',
    STALL_INTERVAL_MS: '500',
    DRAIN_TIMEOUT_S: '20',
    LOG_LEVEL: process.env['TEST_LOG_LEVEL'] ?? 'silent',
    ...changes,
  };
}

export interface LocalRunner {
  runner: Runner;
  engine: ScriptedEngine;
  config: Config;
  engineGone: Promise<void>;
  registry: Registry;
}

/** A runner in this process around a scripted engine. */
export async function startScripted(world: World, changes: Record<string, string> = {}): Promise<LocalRunner> {
  const config = parseConfig(runnerEnvironment(world, changes));
  const engine = new ScriptedEngine();
  let gone = (): void => {};
  const engineGone = new Promise<void>((resolve) => (gone = resolve));
  const registry = new Registry();
  const runner = await Runner.start(config, engine, createLogger(config), new RunnerMetrics(registry, config.RUNNER_ID), gone);
  return { runner, engine, config, engineGone, registry };
}

/** A runner process: the scripted one, or the real `dist/main.js`. */
export class RunnerProcess {
  output = '';

  private constructor(readonly child: ChildProcess) {
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (this.output += String(chunk)));
  }

  static async start(world: World, kind: 'scripted' | 'real', changes: Record<string, string> = {}): Promise<RunnerProcess> {
    const args =
      kind === 'real' ? [path.join(packageDir, 'dist/main.js')] : ['--import', 'tsx', path.join(packageDir, 'test/support/scripted-main.ts')];
    const env = { PATH: process.env['PATH'] ?? '', ...runnerEnvironment(world, { LOG_LEVEL: 'info', ...changes }) };
    const started = new RunnerProcess(spawn(process.execPath, args, { cwd: packageDir, env, stdio: ['ignore', 'pipe', 'pipe'] }));
    await started.untilOutput('"msg":"ready"');
    return started;
  }

  async untilOutput(text: string): Promise<void> {
    while (!this.output.includes(text)) {
      if (this.child.exitCode !== null || this.child.signalCode !== null) throw new Error(`the runner exited:\n${this.output}`);
      await Promise.race([once(this.child.stdout ?? this.child, 'data'), once(this.child, 'exit')]);
    }
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** The exit code, or the signal's name. */
  async exited(): Promise<number | string | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit');
    return this.child.exitCode ?? this.child.signalCode;
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.exited();
  }
}
