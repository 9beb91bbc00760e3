/** A call that is due later. Node's own timers are such, and cost nothing more. */
export interface Timer {
  /** It is not called any more. Does nothing when it was called, or closed before. */
  close(): void;
  /** The process may end before. */
  unref(): Timer;
}

/** Time as an argument: code asks a Clock, tests hold one in their hand. */
export interface Clock {
  /** Wall-clock time. */
  now(): Date;
  /** Milliseconds of a clock that never goes back; only differences mean anything. */
  monotonicMs(): number;
  /** Resolves after the delay, or rejects with the signal's reason when it aborts first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
  /** Calls once after the delay, unless the timer is closed before. `act` must not throw. */
  startTimer(delayMs: number, act: () => void): Timer;
}

/** The machine's timers count no further, some 25 days; what is longer is due then. */
const longestDelayMs = 2_147_483_647;

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  sleep: (delayMs, signal) => sleepOn(systemClock, delayMs, signal),
  startTimer: (delayMs, act) => setTimeout(act, Math.min(delayMs, longestDelayMs)),
};

/** The sleep of a clock that has timers. */
export function sleepOn(
  clock: Pick<Clock, 'startTimer'>,
  delayMs: number,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      timer.close();
      reject(signal?.reason as Error);
    };
    const timer = clock.startTimer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** What the promise gives, if it does so in time; else rejects with the error. */
export async function within<T>(
  clock: Pick<Clock, 'startTimer'>,
  limitMs: number,
  promise: Promise<T>,
  late: () => Error,
): Promise<T> {
  const { promise: over, reject } = Promise.withResolvers<never>();
  const timer = clock.startTimer(limitMs, () => reject(late()));
  try {
    return await Promise.race([promise, over]);
  } finally {
    timer.close();
  }
}
