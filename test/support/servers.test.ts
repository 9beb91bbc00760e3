import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { canRun, postgresPrograms, redisPrograms } from './required-programs.ts';

const canRunBoth = [canRun(postgresPrograms()), canRun(redisPrograms())].every(Boolean);

describe.skipIf(!canRunBoth)('servers of tests', () => {
  it('do not outlive the process that started them, however it dies', async () => {
    const starter = spawn(process.execPath, [join(import.meta.dirname, 'server-starter.ts')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const line = await new Promise<string>((resolve) =>
      createInterface({ input: starter.stdout }).once('line', resolve),
    );
    const { pids, logFiles } = JSON.parse(line) as { pids: number[]; logFiles: string[] };
    expect(pids.map(isAlive)).toEqual([true, true]);
    starter.kill('SIGKILL');
    await expect.poll(() => pids.some(isAlive)).toBe(false);
    for (const logFile of logFiles) rmSync(dirname(logFile), { recursive: true });
  });
});

function isAlive(pid: number): boolean {
  try {
    // A zombie has ended, and only waits for whoever adopted it to notice.
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    // No such process.
    return false;
  }
}
