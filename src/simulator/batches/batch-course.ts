import { Draws } from '../draws.ts';
import type { BatchConfig } from './batch-config.ts';
import type { BatchEnd, BatchRecord } from './batch-records.ts';

/*
 * When a batch ends and which of its items are done by then, from its record and the seed alone, so that a simulator that
 * is started again goes on as if nothing had been. Its first twentieth is validation, its last one finalising.
 */

/** What the course of a batch depends on. */
export interface Course {
  readonly batch: BatchRecord;
  readonly cancelledMs: number | undefined;
  readonly config: Pick<BatchConfig, 'expiresAfterMs' | 'cancellingMs'>;
}

const validationShare = 0.05;

/** When the batch has been looked through. */
export function validatedMs({ createdMs, durationMs }: BatchRecord): number {
  return createdMs + durationMs * validationShare;
}

/** When nothing more happens to it, and why. */
export function endOf({ batch, cancelledMs, config }: Course): { atMs: number; how: BatchEnd['how'] } {
  if (batch.problems.length > 0) return { atMs: validatedMs(batch), how: 'failed' };
  const doneMs = batch.createdMs + batch.durationMs;
  const expiresMs = batch.createdMs + config.expiresAfterMs;
  const cutMs = cancelledMs === undefined ? Infinity : cancelledMs + config.cancellingMs;
  if (cancelledMs !== undefined && cancelledMs < Math.min(doneMs, expiresMs)) {
    return { atMs: Math.min(cutMs, expiresMs), how: 'cancelled' };
  }
  return doneMs <= expiresMs ? { atMs: doneMs, how: 'completed' } : { atMs: expiresMs, how: 'expired' };
}

/** When the item is done, if the batch lives so long. */
export function itemDoneMs(
  seed: number,
  { number, createdMs, durationMs }: BatchRecord,
  customId: string,
): number {
  const share = new Draws(seed, number, customId).stream('finish')();
  return createdMs + durationMs * (validationShare + (1 - 2 * validationShare) * share);
}

/** OpenAI's word for how far a batch that has not ended is. */
export function openaiPhase(
  { batch, cancelledMs }: Course,
  nowMs: number,
): 'validating' | 'in_progress' | 'finalizing' | 'cancelling' {
  if (cancelledMs !== undefined) return 'cancelling';
  if (nowMs < validatedMs(batch) || nowMs === batch.createdMs) return 'validating';
  return nowMs < batch.createdMs + batch.durationMs * (1 - validationShare) ? 'in_progress' : 'finalizing';
}
