import { Counter, Registry } from '@aril/metrics';
import { Injectable } from '@nestjs/common';

/** Adapters that came whole, by what was found. */
@Injectable()
export class UploadMetrics {
  private readonly adapters: Counter<'outcome'>;
  private readonly bytes: Counter;

  constructor(registry: Registry) {
    const registers = [registry];
    this.adapters = new Counter({ name: 'aril_api_adapter_uploads_total', help: 'Adapters uploaded whole: ready, or refused for what is in them.', labelNames: ['outcome'], registers });
    this.bytes = new Counter({ name: 'aril_api_adapter_upload_bytes_total', help: 'Their files, ready or refused.', registers });
    for (const outcome of ['ready', 'refused']) this.adapters.inc({ outcome }, 0);
  }

  note(outcome: 'ready' | 'refused', files: readonly { bytes: bigint }[]): void {
    this.adapters.inc({ outcome });
    this.bytes.inc(files.reduce((sum, { bytes }) => sum + Number(bytes), 0));
  }
}
