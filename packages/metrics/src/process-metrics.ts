import { collectDefaultMetrics, type Registry } from 'prom-client';

/** Gauges that are called like counters, which OpenMetrics does not allow; the same by type is there beside them. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/** CPU, memory, file descriptors, event loop and garbage collection of this process. Watches the event loop from here on. */
export function addProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
}
