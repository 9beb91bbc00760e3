import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import { Bounds } from '../telemetry/bounds.ts';
import type { BoundName } from './closed-names.ts';
import type { MillraceMetrics } from './metric-catalogue.ts';

export type HostBounds = Bounds<BoundName>;

/** The bounds of a host, to begin with those whose owners know nothing of bounds. */
export function boundsOf(metrics: MillraceMetrics, database: SqlDatabase): HostBounds {
  const bounds: HostBounds = new Bounds();
  bounds.register('metric_series', { limit: metrics.seriesCap, takePeak: () => metrics.seriesCount() });
  const pool = database.connections();
  if (pool !== undefined) {
    bounds.register('database_connections', {
      limit: pool.limit,
      takePeak: () => database.connections()?.inUse ?? 0,
    });
  }
  return bounds;
}
