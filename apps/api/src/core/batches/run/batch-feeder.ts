/**
 * Turns the input of a batch into generations, few at a time, until all have their results. How far it has come is in the
 * rows: whoever goes on with it takes up the lines without a result and feeds from where the input was left.
 */
import { Inject, Injectable } from '@nestjs/common';
import type { ObjectStore } from '@aril/object-store';
import { CONFIG, type Config } from '../../../base/config/config.js';
import { TenantDatabase } from '../../../base/prisma/tenant-database.js';
import { OBJECT_STORE } from '../../../integrations/object-storage/object-storage.module.js';
import { BatchModel, type BatchRow } from '../../../models/batch.model.js';
import { BackgroundWork } from './background-work.js';
import { BatchFlight } from './batch-flight.js';
import { BatchMetrics } from './batch-metrics.js';
import type { NotRun } from './batch-result.js';
import { BatchValidator } from './batch-validator.js';
import { type InputLine, lineAt, linesOf } from './input-lines.js';
import { LineRunner } from './line-runner.js';

/** How soon a batch sees that it was cancelled or has expired, and that its share has changed. */
const LOOK_EVERY_MS = 1_000;

interface Now {
  batch: BatchRow;
  /** Lines that may be under way at once. */
  share: number;
}

@Injectable()
export class BatchFeeder {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly db: TenantDatabase,
    private readonly batches: BatchModel,
    private readonly validator: BatchValidator,
    private readonly lines: LineRunner,
    private readonly metrics: BatchMetrics,
    private readonly work: BackgroundWork,
    @Inject(OBJECT_STORE) private readonly objects: ObjectStore,
  ) {}

  /** Until every line that was begun has its result, and all are begun or none is to be begun any more. */
  async feed(begun: BatchRow, stop: AbortSignal): Promise<void> {
    const { tenantId, id, fedLines, fedBytes } = begun;
    const file = await this.validator.inputOf(begun);
    // What fails here, or a batch that turns out to be another's, leaves nothing under way behind.
    const left = new AbortController();
    const flight = new BatchFlight(begun, AbortSignal.any([stop, left.signal]), {
      run: (run) => this.lines.run(run),
      store: async ({ position }, result) => {
        await this.work.run(() => this.db.inTenant(tenantId, () => this.batches.answer(id, position, result)));
        this.metrics.note(result);
      },
    });
    try {
      const unanswered = await this.db.inTenant(tenantId, () => this.batches.unanswered(id));
      for (const line of unanswered) flight.start(await lineAt(this.objects, file, line));
      await this.feedAll(begun, flight, linesOf(this.objects, file, { line: fedLines, start: Number(fedBytes) }), stop);
    } finally {
      left.abort();
    }
  }

  private async feedAll(begun: BatchRow, flight: BatchFlight, input: AsyncGenerator<InputLine>, stop: AbortSignal): Promise<void> {
    let { fedLines } = begun;
    let [isFed, isRefused] = [false, false];
    for (let now = await this.look(begun); !stop.aborted && now; now = await this.look(begun)) {
      const ending = endingOf(now.batch);
      if (ending) flight.end(ending);
      else if (isRefused) throw new Error('the batch is fed by another process');
      else if (!isFed) {
        const room = Math.max(0, now.share - flight.size);
        const taken = await take(input, room);
        isFed = taken.length < room;
        isRefused = !(await this.begin(begun, fedLines, taken));
        // It was cancelled meanwhile, or is another's, who runs it from what the rows say.
        if (isRefused) continue;
        fedLines = taken.at(-1)?.position ?? fedLines;
        for (const line of taken) flight.start(line);
      }
      if (flight.size === 0 && (ending || isFed)) return this.finish(begun, ending);
      await flight.landing(LOOK_EVERY_MS);
    }
  }

  /** null: nothing is to be fed any more. */
  private look({ tenantId, id }: BatchRow): Promise<Now | null> {
    return this.db.inTenant(tenantId, async () => {
      const batch = await this.batches.find(id);
      if (!batch || batch.finalizingAt || (batch.status !== 'IN_PROGRESS' && batch.status !== 'CANCELLING')) return null;
      const running = await this.batches.countIn(['IN_PROGRESS']);
      return { batch, share: Math.max(1, Math.floor(this.config.BATCH_PARALLEL_REQUESTS / Math.max(1, running))) };
    });
  }

  /** From here on the lines are the batch's to answer, whoever does it. */
  private async begin({ tenantId, id }: BatchRow, from: number, taken: readonly InputLine[]): Promise<boolean> {
    const last = taken.at(-1);
    if (!last) return true;
    const rows = taken.map(({ position, start, end }) => ({ position, start: BigInt(start), bytes: end - start }));
    const fed = { fedLines: last.position, fedBytes: BigInt(last.end) };
    return this.db.inTenant(tenantId, () => this.batches.begin(id, from, fed, rows));
  }

  private async finish({ tenantId, id }: BatchRow, ending: NotRun | null): Promise<void> {
    const now = new Date();
    await this.db.inTenant(tenantId, async () => {
      if (ending === 'batch_cancelled') await this.batches.change(id, ['CANCELLING'], { finalizingAt: now });
      else await this.batches.change(id, ['IN_PROGRESS'], { status: 'FINALIZING', finalizingAt: now, ...(ending && { expiredAt: now }) });
    });
  }
}

function endingOf({ status, expiresAt }: BatchRow): NotRun | null {
  if (status === 'CANCELLING') return 'batch_cancelled';
  return expiresAt.getTime() <= Date.now() ? 'batch_expired' : null;
}

async function take(input: AsyncGenerator<InputLine>, count: number): Promise<InputLine[]> {
  const taken: InputLine[] = [];
  while (taken.length < count) {
    const { done, value } = await input.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}
