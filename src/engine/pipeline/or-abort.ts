import type { Clock, Timer } from '../../kernel/clock.ts';

/** How long a handler may take to come back after its signal was aborted before it is left behind. */
export const abortGraceMs = 5000;

/** What ends the wait for a handler. */
export interface AbortWatch {
  /** The handler's own. */
  readonly signal: AbortSignal;
  /** Aborts when nobody waits for handlers any more. */
  readonly leaving: AbortSignal;
  readonly clock: Clock;
}

/**
 * What the handler answers; or, when the signal aborts and the handler does not come back in time, the signal's reason.
 * Once `leaving` aborts nobody waits for a handler whose signal was aborted. What such a handler answers later is ignored.
 */
export async function orAbort<T>(handled: Promise<T>, { signal, leaving, clock }: AbortWatch): Promise<T> {
  const { promise: abandoned, reject } = Promise.withResolvers<never>();
  let timer: Timer | undefined;
  const leave = (): void => reject(signal.reason as Error);
  const onAbort = (): void => {
    timer = clock.startTimer(abortGraceMs, leave);
    if (leaving.aborted) leave();
    else leaving.addEventListener('abort', leave, { once: true });
  };
  // It may have been aborted since it was looked at last: then no event comes any more.
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([handled, abandoned]);
  } catch (error) {
    // Whatever an aborted handler throws, the abort is why.
    throw signal.aborted ? (signal.reason as Error) : error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    leaving.removeEventListener('abort', leave);
    timer?.close();
  }
}
