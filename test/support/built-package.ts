import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { packageRoot } from '../../src/kernel/package-root.ts';

/*
 * The built package, for tests of what users run. It is built when its sources are newer than the last build that a
 * test made, and by one process only: the others wait for it. With its declarations, as it is packed.
 */

const root = packageRoot();
const stamp = join(root, 'dist', '.built-for-tests');
const lock = join(root, 'dist', '.building-for-tests');
const sources = ['src', 'examples', 'package.json', 'tsconfig.json', 'tsconfig.build.json', 'nest-cli.json'];
const lockPauseMs = 100;

/** Builds the package if need be. Answers the path of its command. */
export async function builtCommand(): Promise<string> {
  while (!isFresh()) {
    if (!takeLock()) {
      await sleep(lockPauseMs);
      continue;
    }
    try {
      const startedAt = new Date();
      await promisify(execFile)('npm', ['run', '--silent', 'build', '--', '--declarations'], { cwd: root });
      writeFileSync(stamp, startedAt.toISOString());
    } finally {
      rmSync(lock, { recursive: true, force: true });
    }
  }
  return join(root, 'dist', 'src', 'cli', 'millrace-command.js');
}

function isFresh(): boolean {
  const builtAt = readIfThere(stamp);
  return builtAt !== undefined && newestOf(sources.map((path) => join(root, path))) < Date.parse(builtAt);
}

function newestOf(paths: readonly string[]): number {
  const times = paths.map((path) => {
    const status = statSync(path);
    if (!status.isDirectory()) return path.endsWith('.test.ts') ? 0 : status.mtimeMs;
    return newestOf(readdirSync(path).map((name) => join(path, name)));
  });
  return Math.max(0, ...times);
}

function takeLock(): boolean {
  mkdirSync(dirname(lock), { recursive: true });
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    const owner = Number(readIfThere(lock) ?? 0);
    if (owner > 0 && !isAlive(owner)) rmSync(lock, { force: true });
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
