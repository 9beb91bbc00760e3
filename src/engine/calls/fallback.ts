import { Parked } from '../parked.ts';
import type { CallQuestion } from './call-opener.ts';

/** The same question to the fallback, when it is the circuit that refuses. The fallback's own is not asked for. */
export function fallbackFor(question: CallQuestion, error: unknown): CallQuestion | undefined {
  const { fallback } = question;
  if (fallback === undefined || !(error instanceof Parked) || error.reason !== 'circuit') return undefined;
  const { insteadOf: _, ...asked } = fallback;
  return { ...question, ...asked, fallback: undefined };
}

/** Neither model may be asked now: whichever may be asked first decides when the work comes back. */
export function soonestRefusal(meant: unknown, fallback: unknown): unknown {
  if (!(meant instanceof Parked) || !(fallback instanceof Parked)) return fallback;
  const waitMs = ({ delayMs = Number.POSITIVE_INFINITY }: Parked): number => delayMs;
  return waitMs(fallback) < waitMs(meant) ? fallback : meant;
}
