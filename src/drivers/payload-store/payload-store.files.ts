import { randomUUID } from 'node:crypto';
import type { Stats } from 'node:fs';
import {
  type FileHandle,
  mkdir,
  open as openFile,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError } from '../../kernel/app-error.ts';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import {
  makePrivateDirectory,
  privateDirectoryMode,
  privateFileMode,
} from '../../kernel/private-directory.ts';
import { checkPayload, parseReference, referenceOf } from './payload-reference.ts';
import type { PayloadReference, PayloadStore } from './payload-store.ts';

/*
 * Payloads as files. A file appears under its name only when it is whole: written and synced under a passing name,
 * renamed, and its directory synced, so that neither a crash nor a power cut leaves a name with half its bytes.
 * A crash leaves at most a file in `unfinished`, which an opening removes when no writer can still be at it.
 * Payloads are data: files are 0600 in directories of 0700.
 */

export interface FilesPayloadStoreOptions {
  readonly directory: string;
  /** How files are opened for writing; a test puts a full disk here. */
  readonly open?: (path: string, flags: string, mode: number) => Promise<FileHandle>;
  /** Says when a payload was put again; the machine's own unless given. */
  readonly clock?: Clock;
}

const abandonedAfterMs = 3_600_000;

export class FilesPayloadStore implements PayloadStore {
  readonly kind = 'files';
  readonly #directory: string;
  readonly #unfinished: string;
  readonly #clock: Clock;
  readonly #open: (path: string, flags: string, mode: number) => Promise<FileHandle>;

  constructor({ directory, open = openFile, clock = systemClock }: FilesPayloadStoreOptions) {
    this.#clock = clock;
    this.#directory = directory;
    this.#unfinished = join(directory, 'unfinished');
    this.#open = open;
  }

  /** Makes the directories and removes what crashes left before. Several processes may use one directory. */
  async open(now: Date): Promise<this> {
    try {
      // Also those of earlier versions, which made them readable by others: who cannot enter the first, sees nothing in it.
      for (const directory of [this.#directory, this.#unfinished]) makePrivateDirectory(directory);
      await this.#removeAbandoned(now);
    } catch (error) {
      throw unavailable(`The payload directory ${this.#directory} cannot be used`, error);
    }
    return this;
  }

  async put(bytes: Uint8Array): Promise<PayloadReference> {
    const reference = referenceOf(bytes);
    const path = this.#pathOf(reference);
    try {
      if ((await this.#touch(path)) && (await hasSize(path, bytes.byteLength))) {
        // Another writer may have renamed it just now and not yet synced.
        await syncDirectory(dirname(path));
        return reference;
      }
      await makeDirectory(this.#directory, dirname(path));
      await this.#write(path, bytes);
    } catch (error) {
      throw unavailable(`The payload ${reference} could not be stored`, error);
    }
    return reference;
  }

  async get(reference: PayloadReference): Promise<Uint8Array> {
    let bytes: Uint8Array;
    try {
      bytes = await readFile(this.#pathOf(reference));
    } catch (error) {
      if (!isMissing(error)) throw unavailable(`The payload ${reference} could not be read`, error);
      throw new AppError('MILLRACE_PAYLOAD_MISSING', `The payload ${reference} is not there.`, {
        cause: error,
      });
    }
    checkPayload(reference, bytes);
    return bytes;
  }

  /**
   * A file that is old enough is taken away first and looked at again: had it been put between the look and that, it
   * goes back; had it been put after, the writer found nothing and wrote it anew.
   */
  async remove(reference: PayloadReference, putBefore: Date): Promise<boolean> {
    const path = this.#pathOf(reference);
    const taken = join(this.#unfinished, randomUUID());
    try {
      const putAtMs = await modifiedAtMs(path);
      if (putAtMs === undefined) return true;
      if (putAtMs >= putBefore.getTime()) return false;
      await rename(path, taken);
      if (((await modifiedAtMs(taken)) ?? 0) >= putBefore.getTime()) {
        await rename(taken, path);
        return false;
      }
      await rm(taken, { force: true });
    } catch (error) {
      throw unavailable(`The payload ${reference} could not be removed`, error);
    }
    return true;
  }

  async ping(): Promise<void> {
    try {
      await stat(this.#unfinished);
    } catch (error) {
      throw unavailable(`The payload directory ${this.#directory} is not there`, error);
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #removeAbandoned(now: Date): Promise<void> {
    for (const name of await readdir(this.#unfinished)) {
      const path = join(this.#unfinished, name);
      const modifiedMs = await modifiedAtMs(path);
      if (modifiedMs !== undefined && now.getTime() - modifiedMs > abandonedAfterMs)
        await rm(path, { force: true });
    }
  }

  #pathOf(reference: PayloadReference): string {
    return join(this.#directory, parseReference(reference).path);
  }

  /** Says that the file was put now. False when it is not there. */
  async #touch(path: string): Promise<boolean> {
    const now = this.#clock.now();
    try {
      await utimes(path, now, now);
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  async #write(path: string, bytes: Uint8Array): Promise<void> {
    const unfinished = join(this.#unfinished, randomUUID());
    try {
      const file = await this.#open(unfinished, 'wx', privateFileMode);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(unfinished, path);
    } catch (error) {
      await rm(unfinished, { force: true });
      throw error;
    }
    await syncDirectory(dirname(path));
  }
}

async function hasSize(path: string, sizeBytes: number): Promise<boolean> {
  return (await findStats(path))?.size === sizeBytes;
}

async function modifiedAtMs(path: string): Promise<number | undefined> {
  return (await findStats(path))?.mtimeMs;
}

async function findStats(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Makes the directory, and syncs every parent that got a new entry, up to `root`. */
async function makeDirectory(root: string, directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true, mode: privateDirectoryMode });
  if (first === undefined) return;
  for (let made = directory; made.length >= first.length && made !== root; made = dirname(made)) {
    await syncDirectory(dirname(made));
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await openFile(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

function unavailable(what: string, error: unknown): AppError {
  const reason = error instanceof Error ? error.message : String(error);
  return new AppError('MILLRACE_PAYLOAD_UNAVAILABLE', `${what}: ${reason}`, { cause: error });
}
