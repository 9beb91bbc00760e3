import { createWriteStream } from 'node:fs';
import { access, open, rename, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AppError } from '../kernel/app-error.ts';

/* Files that commands write. */

/** Throws MILLRACE_REQUEST_INVALID when the file is there already. `field` is the option that names it. */
export async function refuseExisting(file: string, field = 'output'): Promise<void> {
  const exists = await access(file).then(
    () => true,
    () => false,
  );
  if (exists) {
    throw new AppError('MILLRACE_REQUEST_INVALID', `${file} is there already.`, {
      faults: [{ field, problem: 'is there already; name another file, or give --force' }],
    });
  }
}

/**
 * Writes beside the file, to the disk, and renames: what breaks off leaves no file that looks whole. Throws MILLRACE_REQUEST_INVALID where the
 * file cannot be made; `field` is the option that names it.
 */
export async function writeWhole(bytes: Readable, file: string, field = 'output'): Promise<void> {
  const partial = `${file}.partial`;
  await makeFile(partial, file, field).catch((error: unknown) => {
    bytes.destroy();
    throw error;
  });
  try {
    await pipeline(bytes, createWriteStream(partial, { flush: true }));
    await rename(partial, file).catch((error: unknown) => {
      throw notWritable(file, field, error);
    });
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

async function makeFile(partial: string, file: string, field: string): Promise<void> {
  try {
    await (await open(partial, 'w')).close();
  } catch (error) {
    throw notWritable(file, field, error);
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such folder',
  ENOTDIR: 'a part of its path is no folder',
  EISDIR: 'it is a folder',
  EACCES: 'this is not permitted',
  EPERM: 'this is not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  ENAMETOOLONG: 'its name is too long',
};

function notWritable(file: string, field: string, cause: unknown): AppError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const reason = reasons[code] ?? (cause instanceof Error ? cause.message : String(cause));
  return new AppError('MILLRACE_REQUEST_INVALID', `${file} cannot be written: ${reason}.`, {
    cause: new Error(reason, { cause }),
    faults: [{ field, problem: `${file} cannot be written: ${reason}; name a file that can` }],
  });
}
