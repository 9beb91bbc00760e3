import type { Logger } from '../telemetry/logger.ts';

/**
 * Logs what ends the process before it does: an error that nobody caught, or a promise that failed and that nobody awaited, as a handler
 * leaves one behind when an `await` is missing. It changes nothing of the end: Node prints the stack and exits with code 1, and what was at work is taken up
 * again like after any crash. Answers what ends the watch.
 */
export function reportCrashes(
  logger: Pick<Logger, 'error'>,
  stagesAtWork: () => readonly string[],
): () => void {
  const report = (error: unknown, origin: 'uncaughtException' | 'unhandledRejection'): void => {
    const what =
      origin === 'unhandledRejection'
        ? 'a promise failed that nobody awaits: the process ends; look for a missing await in the handlers of these stages'
        : 'an error was thrown that nobody catches: the process ends; look for callbacks and events in the handlers of these stages';
    logger.error({ error, stages: [...stagesAtWork()] }, what);
  };
  process.on('uncaughtExceptionMonitor', report);
  return () => void process.off('uncaughtExceptionMonitor', report);
}
