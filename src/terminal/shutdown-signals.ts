/** A request from outside to end. */
export interface ShutdownSignals {
  /** Aborts at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** 128 plus the number of the signal that came, as shells have it; 0 while none has. */
  exitCode(): number;
  /** Gives the signals their ordinary meaning back. */
  release(): void;
}

const numbers = { SIGINT: 2, SIGTERM: 15 } as const;

/**
 * Listens for SIGINT and SIGTERM. The first asks for an orderly end, and gives signals their ordinary meaning back: a second
 * one ends the process at once, by the kernel's hand, whatever the process is doing. An exit by the process itself would
 * run the ends of embedded engines while their threads work, and crash or hang.
 */
export function watchShutdownSignals(onFirst: (name: string) => void): ShutdownSignals {
  const controller = new AbortController();
  let exitCode = 0;
  const release = (): void => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  const onSignal = (name: NodeJS.Signals): void => {
    release();
    exitCode = 128 + (name === 'SIGINT' ? numbers.SIGINT : numbers.SIGTERM);
    controller.abort(new Error(`${name} came`));
    onFirst(name);
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return { signal: controller.signal, exitCode: () => exitCode, release };
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
