import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../kernel/app-error.ts';

/*
 * One process a data directory. Each process that wants it first puts down a claim, a file named after its
 * process id and start time, and then looks for the claims of others. Of two that come at once, at least one
 * sees the other, so both may be turned away but never both let in. A claim whose process is gone, or whose
 * id now belongs to a process with another start time, is removed: no live process could own that file name.
 * Processes that do not see each other's ids (containers) must not share a directory.
 */

const claimPattern = /^claim\.(\d+)\.(\d+)$/;

/** Gives the directory back. */
export type ReleaseDirectory = () => void;

/** Claims the directory, which must exist, for this process. Throws MILLRACE_DATA_IN_USE with the owner's process id. */
export function lockDirectory(directory: string): ReleaseDirectory {
  const claim = join(directory, `claim.${process.pid}.${startOf(process.pid) ?? '0'}`);
  try {
    writeFileSync(claim, '', { flag: 'wx' });
  } catch (error) {
    if (isSystemError(error, 'EEXIST')) throw inUse(directory, process.pid);
    throw error;
  }
  const owner = otherOwner(directory);
  if (owner !== undefined) {
    rmSync(claim, { force: true });
    throw inUse(directory, owner);
  }
  return () => rmSync(claim, { force: true });
}

function otherOwner(directory: string): number | undefined {
  for (const name of readdirSync(directory)) {
    const match = claimPattern.exec(name);
    if (match === null) continue;
    const pid = Number(match[1]);
    if (pid === process.pid && match[2] === (startOf(pid) ?? '0')) continue;
    if (isAlive(pid, match[2] ?? '0')) return pid;
    rmSync(join(directory, name), { force: true });
  }
  return undefined;
}

function isAlive(pid: number, start: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, but is another user's.
    if (isSystemError(error, 'ESRCH')) return false;
  }
  const status = statusOf(pid);
  if (status === undefined) return true;
  // A zombie has ended and only waits for its parent to notice.
  if (status.state === 'Z' || status.state === 'X') return false;
  return start === '0' || status.start === start;
}

/** When the process started, in the kernel's ticks since boot; undefined where there is no /proc. */
function startOf(pid: number): string | undefined {
  return statusOf(pid)?.start;
}

/** State letter and start of a process. */
function statusOf(pid: number): { readonly state: string; readonly start: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses, which may hold anything; state and start are 3 and 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', start: fields[19] ?? '' };
  } catch (error) {
    if (isSystemError(error, 'ENOENT') || isSystemError(error, 'ESRCH')) return undefined;
    throw error;
  }
}

function isSystemError(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function inUse(directory: string, pid: number): AppError {
  const who = pid === process.pid ? `this process (${pid}), which opened it before` : `process ${pid}`;
  return new AppError('MILLRACE_DATA_IN_USE', `The data directory ${directory} is in use by ${who}.`);
}
