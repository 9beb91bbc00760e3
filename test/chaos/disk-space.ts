import type { FileHandle } from 'node:fs/promises';

type OpenFile = (path: string, flags: string, mode: number) => Promise<FileHandle>;

/** A disk that can be full for a while: no file is opened for writing then. */
export class DiskSpace {
  #isFullUntilMs = 0;

  fill(forMs: number): void {
    this.#isFullUntilMs = performance.now() + forMs;
  }

  opening(open: OpenFile): OpenFile {
    return (path, flags, mode) => {
      if (performance.now() >= this.#isFullUntilMs) return open(path, flags, mode);
      return Promise.reject(
        Object.assign(new Error('ENOSPC: no space left on device, open'), { code: 'ENOSPC', path }),
      );
    };
  }
}
