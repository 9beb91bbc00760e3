import { createWriteStream } from 'node:fs';
import { access, rename, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AppError } from '../kernel/app-error.ts';

/* Files that commands write. */

/** Throws MILLRACE_REQUEST_INVALID when the file is there already. */
export async function refuseExisting(file: string): Promise<void> {
  const exists = await access(file).then(
    () => true,
    () => false,
  );
  if (exists) {
    throw new AppError('MILLRACE_REQUEST_INVALID', `${file} is there already.`, {
      faults: [{ field: 'output', problem: 'is there already; name another file, or give --force' }],
    });
  }
}

/** Writes beside the file, to the disk, and renames: what breaks off leaves no file that looks whole. */
export async function writeWhole(bytes: Readable, file: string): Promise<void> {
  const partial = `${file}.partial`;
  try {
    await pipeline(bytes, createWriteStream(partial, { flush: true }));
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
