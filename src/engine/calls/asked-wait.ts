import type { LogOnce } from '../../telemetry/log-once.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { ModelFailure } from '../providers/classify-model-error.ts';
import type { CallLabels, ModelMetrics } from './model-metrics.ts';

/*
 * What happens to the time that a provider asks to be left alone: it is granted up to a bound, counted as it was asked,
 * and logged where it is longer.
 */

/** The failure with a wait of at most this. */
export function grantedWait(failed: ModelFailure, maxRetryAfterMs: number): ModelFailure {
  const asked = failed.retryAfterMs;
  if (asked === undefined || asked <= maxRetryAfterMs) return failed;
  const seconds = Math.round(asked / 1000);
  return {
    ...failed,
    message: `${failed.message} (asks to retry after ${seconds} s)`,
    retryAfterMs: maxRetryAfterMs,
  };
}

/** Of a call, what is said of its refusal. */
export interface RefusedCall {
  readonly facts: { readonly id: string };
  readonly labels: CallLabels;
}

/** To whom it is said. */
export interface WaitObservers {
  readonly maxRetryAfterMs: number;
  readonly metrics: ModelMetrics;
  readonly logger: Logger;
  readonly logOnce: LogOnce;
}

/** Counts the wait that a refusal asked for, if it did; says so once for each model where it is not granted whole. */
export function noteAskedWait(
  failure: ModelFailure | undefined,
  { facts, labels }: RefusedCall,
  { maxRetryAfterMs: grantedMs, metrics, logger, logOnce }: WaitObservers,
): void {
  const askedMs = failure?.retryAfterMs;
  if (askedMs === undefined) return;
  metrics.waitAskedFor(labels, askedMs, askedMs > grantedMs);
  const { provider, model } = labels;
  if (askedMs <= grantedMs || !logOnce.isNew(`retry-after ${provider}/${model}`)) return;
  logger.warn(
    { callId: facts.id, provider, model, askedMs, grantedMs },
    'a provider asks for a longer wait than models.retryAfter.maxMessageMs: it is asked again before',
  );
}
