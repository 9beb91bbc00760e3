import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';

/*
 * Where the operator socket of a data directory lies: `operator/host.sock` in it. Paths of Unix sockets are short
 * (104 bytes on macOS, 108 on Linux, with a closing zero). Where the data directory lies too deep, the socket is in a
 * directory of its own under the system's temporary one, and `operator/socket-path` says where.
 */

const maxPathBytes = 103;
const socketName = 'host.sock';
const temporaryPrefix = 'millrace-operator-';

/** A place that was made for a socket to listen at. */
export interface OperatorSocketPlace {
  readonly path: string;
  /** Removes what was made, the socket included. */
  remove(): void;
}

/** Where a running host of this data directory would listen. */
export function operatorSocketPath(dataDirectory: string): string {
  const directory = directoryOf(dataDirectory);
  return notedPath(directory) ?? join(directory, socketName);
}

/**
 * Makes the place, open to this user alone, and removes what a process that was killed left there. For the owner of
 * the data only: the caller holds its lock, so nobody else listens.
 */
export function prepareOperatorSocket(dataDirectory: string): OperatorSocketPlace {
  const directory = directoryOf(dataDirectory);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  clear(directory);
  const near = join(directory, socketName);
  if (Buffer.byteLength(near) > maxPathBytes) {
    const path = join(mkdtempSync(join(shortestTemporaryDirectory(), temporaryPrefix)), socketName);
    writeFileSync(noteOf(directory), path, { mode: 0o600 });
    return { path, remove: () => clear(directory) };
  }
  return { path: near, remove: () => clear(directory) };
}

function clear(directory: string): void {
  rmSync(join(directory, socketName), { force: true });
  const far = notedPath(directory);
  rmSync(noteOf(directory), { force: true });
  // Only what this file makes is removed, whatever the note says.
  if (far === undefined || basename(far) !== socketName) return;
  const farDirectory = dirname(far);
  if (!basename(farDirectory).startsWith(temporaryPrefix)) return;
  rmSync(far, { force: true });
  try {
    rmdirSync(farDirectory);
  } catch {
    // It is gone already, or holds what is not ours.
  }
}

function directoryOf(dataDirectory: string): string {
  return join(resolve(dataDirectory), 'operator');
}

function noteOf(directory: string): string {
  return join(directory, 'socket-path');
}

function notedPath(directory: string): string | undefined {
  try {
    return readFileSync(noteOf(directory), 'utf8');
  } catch {
    return undefined;
  }
}

function shortestTemporaryDirectory(): string {
  const named = tmpdir();
  const length = Buffer.byteLength(join(named, `${temporaryPrefix}xxxxxx`, socketName));
  return length > maxPathBytes ? '/tmp' : named;
}
