import { addProcessMetrics, MetricsServer, Registry } from '@aril/metrics';
import type { INestApplication } from '@nestjs/common';
import type { Logger } from 'pino';
import type { Config } from '../config/config.js';

/** On a port of their own: the API's is the world's. Nothing is listened to where METRICS_PORT is 0. */
export async function serveMetrics(app: INestApplication, { METRICS_HOST: host, METRICS_PORT: port }: Config, logger: Logger): Promise<void> {
  if (port === 0) return;
  const registry = app.get<Registry>(Registry);
  addProcessMetrics(registry);
  await new MetricsServer(registry).listen(host, port);
  logger.info({ host, port }, 'metrics are served');
}
