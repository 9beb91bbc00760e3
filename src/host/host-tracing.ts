import type { Clock } from '../kernel/clock.ts';
import type { HostBounds } from './host-bounds.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MillraceMetrics } from './metric-catalogue.ts';
import { maxWaitingSpans } from '../telemetry/span-sender.ts';
import { startTracing, type Tracing } from '../telemetry/tracing.ts';
import type { Configuration } from './configuration.ts';
import { version } from './version.ts';

/** A host's tracing, whose losses are counted and logged. */
export function startHostTracing(
  { endpoint, sampleRatio, keepAboveUsd, originAttributes }: Configuration['tracing'],
  {
    metrics,
    bounds,
    logger,
    clock,
  }: {
    readonly metrics: MillraceMetrics;
    readonly bounds: HostBounds;
    readonly logger: Logger;
    readonly clock: Clock;
  },
): Tracing {
  const tracing = startTracing({
    ...(endpoint === undefined ? {} : { endpoint: `${endpoint.replace(/\/$/, '')}/v1/traces` }),
    serviceName: 'millrace',
    version,
    sampleRatio,
    keepAboveUsd,
    originAttributes,
    clock,
    onDropped: (reason, count) => metrics.increment('trace_spans_dropped_total', { reason }, count),
    onFailing: (error) =>
      logger.warn({ error }, 'spans are not taken by the receiver of traces; they are dropped until it does'),
  });
  metrics.initialise(
    'trace_spans_dropped_total',
    (['no_room', 'not_taken'] as const).map((reason) => ({ reason })),
  );
  bounds.register('trace_spans', { limit: maxWaitingSpans, takePeak: () => tracing.waiting() });
  return tracing;
}
