import { Parked } from '../parked.ts';
import type { CallQuestion, FallbackModel } from './call-opener.ts';

/** The same question to another model. */
export interface FallbackQuestion {
  readonly asked: CallQuestion;
  readonly model: FallbackModel;
}

/** The same question to the fallback, when it is the circuit that refuses; or to the model that a quota without room names. */
export function fallbackFor(question: CallQuestion, error: unknown): FallbackQuestion | undefined {
  if (!(error instanceof Parked)) return undefined;
  const { switchTo } = error;
  const model =
    switchTo !== undefined
      ? question.switchedTo?.(switchTo)
      : error.reason === 'circuit'
        ? question.fallback
        : undefined;
  if (model === undefined) return undefined;
  const { target, bounds, tier, derivesSeed } = model;
  // The fallback's own is not asked for; what a quota has no room for may be switched again.
  return { asked: { ...question, target, bounds, tier, derivesSeed, fallback: undefined }, model };
}

/**
 * Neither model may be asked now: whichever may be asked first decides when the work comes back. Where a quota switches, that is the
 * other one.
 */
export function soonestRefusal(meant: unknown, fallback: unknown): unknown {
  if (!(meant instanceof Parked) || !(fallback instanceof Parked)) return fallback;
  if (meant.switchTo !== undefined) return fallback;
  const waitMs = ({ delayMs = Number.POSITIVE_INFINITY }: Parked): number => delayMs;
  return waitMs(fallback) < waitMs(meant) ? fallback : meant;
}
