import type { Logger } from './logger.ts';

/** A logger that says nothing: for tests, and for commands whose output is their own. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
