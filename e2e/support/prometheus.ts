/** A real Prometheus on the stack: the distribution's, the system's or one unpacked into the cache. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { unpackPackages } from '../../packages/local-services/src/apt.mjs';
import { findProgram } from '../../packages/local-services/src/find-program.mjs';
import { freePort } from '../../packages/local-services/src/ports.mjs';
import { startProcess } from '../../packages/local-services/src/process.mjs';

const execute = promisify(execFile);
export const INFRA = fileURLToPath(new URL('../../infra/', import.meta.url));

interface Programs {
  prometheus: string;
  promtool: string;
}

/** null: not installed, and not to be had from the distribution either. */
async function findPrograms(): Promise<Programs | null> {
  const [prometheus, promtool] = ['prometheus', 'promtool'].map((name) => findProgram(name));
  if (prometheus && promtool) return { prometheus, promtool };
  const cache = process.env['ARIL_CACHE'] ?? join(homedir(), '.cache', 'aril');
  // Its dependencies are for its service and its pages; the programs are static.
  const root = await unpackPackages({ packages: ['prometheus'], folder: join(cache, 'prometheus') }).catch((error: Error) => console.warn(`No Prometheus: its tests are skipped. ${error.message}`));
  return root ? { prometheus: join(root, 'usr/bin/prometheus'), promtool: join(root, 'usr/bin/promtool') } : null;
}

const programs = await findPrograms();
export const hasPrometheus = programs !== null;

export interface Sample {
  metric: Record<string, string>;
  value: [number, string];
}

export class Prometheus {
  private constructor(
    private readonly url: string,
    private readonly promtoolPath: string,
    readonly stop: () => Promise<void>,
  ) {}

  /** `targets`: by job. Everything is looked at every second, rules too. */
  static async start(targets: Record<string, string>): Promise<Prometheus> {
    const { prometheus, promtool } = programs!;
    const folder = mkdtempSync(join(tmpdir(), 'aril-prometheus-'));
    const port = await freePort();
    const scrapes = Object.entries(targets).map(([job_name, url]) => ({ job_name, static_configs: [{ targets: [new URL(url).host] }] }));
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: [join(INFRA, 'prometheus/rules.yml')],
      scrape_configs: scrapes,
    };
    // YAML, as all JSON is.
    writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(config));
    const args = [`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=127.0.0.1:${port}`];
    const server = startProcess({ command: prometheus, args, log: join(folder, 'prometheus.log') });
    const started = new Prometheus(`http://127.0.0.1:${port}`, promtool, async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    await started.untilScraped(Object.keys(targets).length);
    return started;
  }

  async query(expression: string): Promise<Sample[]> {
    const response = await fetch(`${this.url}/api/v1/query?${new URLSearchParams({ query: expression })}`);
    const { data, error } = (await response.json()) as { data?: { result: Sample[] }; error?: string };
    if (!data) throw new Error(`${expression}: ${error}`);
    return data.result;
  }

  /** Its words; throws them where it finds fault. */
  async promtool(args: string[], input = ''): Promise<string> {
    const running = execute(this.promtoolPath, args);
    running.child.stdin?.end(input);
    try {
      const { stdout, stderr } = await running;
      return stdout + stderr;
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      throw new Error(`promtool ${args.join(' ')}\n${stdout}${stderr}`, { cause: error });
    }
  }

  /** What happens before the first look at a counter did not happen, for a rate. */
  private async untilScraped(targets: number): Promise<void> {
    for (let tries = 0; tries < 400; tries++) {
      const up = await this.query('up == 1').catch(() => []);
      if (up.length === targets) return;
      await delay(50);
    }
    throw new Error(`Prometheus has not scraped ${targets} targets in twenty seconds`);
  }
}
