import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { fillHostDirectory } from '../support/migrated-columns.ts';
import { shortRunFlags } from '../support/short-run-flags.ts';

const program = fileURLToPath(new URL('../support/fragile-host-process.ts', import.meta.url));

interface Ended {
  readonly event_id: string;
  readonly state: string;
  readonly error_code: string | null;
  readonly deliveries: number;
}

/** One life of the host: what it printed, or the signal that ended it. */
function live(): Promise<{ readonly signal: string | null; readonly printed: string }> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      process.execPath,
      [...shortRunFlags, program, dataDirectory],
      { signal: lives.signal },
      (error, stdout, stderr) => {
        if (error !== null && child.signalCode === null) reject(new Error(stderr, { cause: error }));
        else resolve({ signal: child.signalCode, printed: stdout });
      },
    );
  });
}

const dataDirectory = mkdtempSync(join(tmpdir(), 'millrace-fragile-'));
const lives = new AbortController();
afterAll(() => {
  lives.abort();
  rmSync(dataDirectory, { recursive: true, force: true });
});

it(
  'gives up the message that kills its worker time after time, and completes all others',
  { timeout: 240_000 },
  async () => {
    await fillHostDirectory(dataDirectory);
    const signals: (string | null)[] = [];
    let rows: Ended[] = [];
    while (rows.length === 0 && signals.length < 6) {
      const { signal, printed } = await live();
      signals.push(signal);
      if (signal === null) rows = JSON.parse(printed) as Ended[];
    }
    expect(signals).toEqual(['SIGKILL', 'SIGKILL', 'SIGKILL', null]);
    const [killing] = rows.filter(({ event_id: id }) => id === 'work-3');
    expect(killing).toMatchObject({
      state: 'dead_lettered',
      error_code: 'MILLRACE_MESSAGE_STALLED',
      deliveries: 4,
    });
    const others = rows.filter(({ event_id: id }) => id !== 'work-3');
    expect(others.filter(({ state }) => state !== 'completed')).toEqual([]);
    expect(others).toHaveLength(20);
  },
);
