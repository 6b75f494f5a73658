import { Registry } from '@aril/metrics';
import { Global, Module } from '@nestjs/common';

/** One registry for each application. Features add what they count; `serveMetrics` tells it to who asks. */
@Global()
@Module({ providers: [{ provide: Registry, useFactory: () => new Registry() }], exports: [Registry] })
export class MetricsModule {}
