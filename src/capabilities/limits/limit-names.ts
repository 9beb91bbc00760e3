import type { BoundRegistry } from '../../telemetry/bounds.ts';
import type { ClosedNames, NameOf } from '../capability.ts';

export const limitNames = {
  jobs: ['model_health', 'model_limits'],
  bounds: ['limit_takes', 'limit_corrections', 'limit_waits', 'watched_models'],
  parkReasons: ['circuit', 'rate_limit', 'retry_budget'],
} as const satisfies Partial<ClosedNames>;

/** Where it tells how near its bounds are. */
export type LimitBounds = BoundRegistry<NameOf<typeof limitNames, 'bounds'>>;
