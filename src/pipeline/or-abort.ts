/** How long a handler may take to come back after its signal was aborted before it is left behind. */
const abortGraceMs = 5000;

/** What the handler answers; or, when the signal aborts and the handler does not come back in time, the reason. */
export async function orAbort<T>(handled: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: abandoned, reject } = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    timer = setTimeout(() => reject(signal.reason as Error), abortGraceMs);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([handled, abandoned]);
  } catch (error) {
    // Whatever an aborted handler throws, the abort is why.
    throw signal.aborted ? (signal.reason as Error) : error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    clearTimeout(timer);
  }
}
