import { chmodSync, mkdirSync, statSync } from 'node:fs';

/** Of directories that hold data: their owner's alone. */
export const privateDirectoryMode = 0o700;
/** Of files that hold data. */
export const privateFileMode = 0o600;

/**
 * Makes a directory for data, and those above it that are missing, open to this user alone; takes others' access from one
 * that is there already. One of another user stays as its owner made it.
 */
export function makePrivateDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: privateDirectoryMode });
  const { mode, uid } = statSync(directory);
  const isOwn = process.getuid?.() === uid;
  if (isOwn && (mode & 0o077) !== 0) chmodSync(directory, privateDirectoryMode);
}
