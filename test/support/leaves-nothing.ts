import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, vi } from 'vitest';

/*
 * For tests that share a process: a file that leaves something running, or the process changed, fails itself, not the
 * file that comes next in its worker.
 */

/**
 * What keeps a process alive. Without timers, of which Node's count is not exact, and without connections, which `fetch`
 * keeps open for a while in a pool of the process.
 */
const watched = ['ProcessWrap', 'TCPServerWrap', 'Worker'];
const events = ['SIGINT', 'SIGTERM', 'uncaughtException', 'unhandledRejection', 'warning'] as const;
/** What packages share among the globals (tslib, zod): it stays from the first file on that loads them, whichever that is. */
const sharedByPackages = /^__(?:[a-z]+(?:[A-Z][a-z]*)*$|zod_)/;
const patienceMs = 10_000;

interface ProcessState {
  readonly running: Readonly<Record<string, number>>;
  readonly listeners: readonly number[];
  readonly environment: NodeJS.ProcessEnv;
  readonly directory: string;
  readonly globals: readonly string[];
}

function look(): ProcessState {
  const active = process.getActiveResourcesInfo();
  return {
    running: Object.fromEntries(
      watched.map((kind) => [kind, active.filter((name) => name === kind).length] as const),
    ),
    listeners: events.map((event) => process.listenerCount(event)),
    environment: { ...process.env },
    directory: process.cwd(),
    globals: Object.getOwnPropertyNames(globalThis).filter((name) => !sharedByPackages.test(name)),
  };
}

/** What is there now and was not before. */
function surplus(now: ProcessState, then: ProcessState): readonly string[] {
  return [
    ...watched.filter((kind) => (now.running[kind] ?? 0) > (then.running[kind] ?? 0)),
    ...events.filter((_, index) => (now.listeners[index] ?? 0) > (then.listeners[index] ?? 0)),
    ...[...new Set([...Object.keys(now.environment), ...Object.keys(then.environment)])]
      .filter((name) => now.environment[name] !== then.environment[name])
      .map((name) => `environment variable ${name}`),
    ...(now.directory === then.directory ? [] : [`working directory ${now.directory}`]),
    ...now.globals.filter((name) => !then.globals.includes(name)).map((name) => `global ${name}`),
  ];
}

let before: ProcessState;
beforeAll(() => {
  before = look();
});

// Set-up comes before the file's own hooks, so this one is the last to run.
afterAll(async () => {
  expect(vi.isFakeTimers()).toBe(false);
  const deadlineMs = performance.now() + patienceMs;
  // What was told to stop may take a moment.
  while (performance.now() < deadlineMs && surplus(look(), before).length > 0) await sleep(20);
  expect(surplus(look(), before), 'left by this file').toEqual([]);
});
