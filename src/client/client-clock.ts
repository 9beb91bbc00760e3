/** The time that a client goes by. Tests may give one that they set. */
export interface ClientClock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Calls back after a time, unless the answered function is called before. */
  startTimer(delayMs: number, onEnd: () => void): () => void;
}

/** Timers cannot be longer. */
const maxDelayMs = 2_147_483_647;

/** The clock of the machine. */
export const machineClock: ClientClock = {
  nowMs: () => Date.now(),
  startTimer: (delayMs, onEnd) => {
    const timer = setTimeout(onEnd, Math.min(delayMs, maxDelayMs));
    return () => clearTimeout(timer);
  },
};

/** Resolves after a time. Rejects with the signal's reason when that aborts. */
export async function pause(clock: ClientClock, delayMs: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  let stop: () => void = () => undefined;
  let onAbort: () => void = () => undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      onAbort = () => reject(signal?.reason as Error);
      signal?.addEventListener('abort', onAbort, { once: true });
      stop = clock.startTimer(delayMs, resolve);
    });
  } finally {
    stop();
    signal?.removeEventListener('abort', onAbort);
  }
}
