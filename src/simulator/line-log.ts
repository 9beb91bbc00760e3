import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';

/*
 * A file of JSON lines, one after the other, only ever appended to. What came in while a write was under way goes
 * out with the next one, in one write. A line is in the page cache when its append resolves, so it survives SIGKILL;
 * it is not synced, so it need not survive a power cut. A write that fails is cut off again, to the last whole line.
 */

interface Waiting {
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (cause: unknown) => void;
}

export class LineLog {
  readonly path: string;
  readonly #file: FileHandle;
  #length: number;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;

  private constructor(path: string, file: FileHandle, length: number) {
    this.path = path;
    this.#file = file;
    this.#length = length;
  }

  /** Opens or makes the file. A torn last line is cut off: what it was about never went out. */
  static async open(directory: string, name: string): Promise<LineLog> {
    await mkdir(directory, { recursive: true });
    const path = join(directory, name);
    const file = await open(path, 'a+');
    const content = await file.readFile();
    const length = content.lastIndexOf(0x0a) + 1;
    if (length < content.length) await file.truncate(length);
    return new LineLog(path, file, length);
  }

  /** Resolves when the line has been written. */
  append(line: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ line, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  /** Every line that has been written. */
  async readLines(): Promise<string[]> {
    const content = Buffer.alloc(this.#length);
    for (let offset = 0; offset < content.length;) {
      const { bytesRead } = await this.#file.read(content, offset, content.length - offset, offset);
      if (bytesRead === 0) throw new Error(`${this.path} is shorter than what was written to it.`);
      offset += bytesRead;
    }
    return content.toString('utf8').split('\n').slice(0, -1);
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#file.close();
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        const bytes = Buffer.from(batch.map(({ line }) => `${line}\n`).join(''));
        await this.#file.appendFile(bytes);
        this.#length += bytes.length;
        for (const { resolve } of batch) resolve();
      } catch (cause) {
        for (const { reject } of batch) reject(cause);
        await this.#file.truncate(this.#length);
      }
    }
    this.#writing = undefined;
  }
}
