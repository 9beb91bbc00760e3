import type { Clock } from '../../kernel/clock.ts';
import type { LimitBounds } from './limit-names.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { LimitMetrics } from './limit-metrics.ts';
import { LimitCorrections } from './limit-corrections.ts';
import { LimitLanes } from './limit-lanes.ts';
import { LimitWaits } from './limit-waits.ts';
import type { LimitBook } from './limit-book.ts';
import type { RateLimitStore } from './model-limits.ts';
import { RateGate } from './rate-gate.ts';
import { WaitLimiter } from './wait-limiter.ts';

export interface RateGateOptions {
  /** What is in force at the time. */
  readonly limits: Pick<LimitBook, 'limitOf'>;
  readonly store: RateLimitStore;
  /** After this long others look again, whatever the provider asked of one of them. */
  readonly maxCooldownMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: LimitMetrics;
  readonly bounds?: LimitBounds;
  /** How many messages of a stage this process may work on at once at present; undefined outside of stages. */
  readonly slotsOf: (stage: string) => number | undefined;
  /** Called for every wait that begins and holds a slot of the stage meanwhile. */
  readonly onWait?: (stage: string, waitMs: number) => void;
  /** Called for every request that is put aside: after this time one like it would be let through. */
  readonly onPark?: (stage: string, slotInMs: number) => void;
}

const maxWaitingInProcess = 1000;

/** Composes the gate that keeps limits. */
export function composeRateGate(options: RateGateOptions): RateGate {
  const { limits, store, maxCooldownMs, clock, metrics, bounds, slotsOf } = options;
  const places = new WaitLimiter(slotsOf, maxWaitingInProcess);
  bounds?.register('limit_waits', places);
  const lanes = new LimitLanes(limits, metrics);
  return new RateGate({
    lanes,
    waits: new LimitWaits({ ...options, places }),
    corrections: new LimitCorrections({
      ...options,
      onState: (lane, state) => lanes.learn(lane, state, clock.monotonicMs()),
    }),
    store,
    maxCooldownMs,
    clock,
    metrics,
  });
}
