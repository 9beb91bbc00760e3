import { readFileSync, statfsSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { join } from 'node:path';

/*
 * Where tests keep their temporary files. Data directories of servers, thousands of small files each, are copied and removed for
 * nearly every file of tests, and a file system on a disk takes ten times the processor time for it that one in memory does.
 */

const memoryPath = '/dev/shm';
/** What three workers with a package installed in one of them never come to. */
const wantedBytes = 6 * 1024 ** 3;

/** The folder for the temporary files of a run, which has to be made: in memory where there is plenty of it, and programs may be run from there. */
export function temporaryFiles(name: string): string {
  return join(hasMemory() ? memoryPath : tmpdir(), `millrace-${name}-${process.pid}`);
}

function hasMemory(): boolean {
  if (process.platform !== 'linux') return false;
  const mounted = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .find(([, path]) => path === memoryPath);
  if (mounted === undefined || mounted[3]?.split(',').includes('noexec') !== false) return false;
  const { bavail, bsize } = statfsSync(memoryPath);
  return bavail * bsize >= wantedBytes && freemem() >= wantedBytes;
}
