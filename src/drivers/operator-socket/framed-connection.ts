import type { Socket } from 'node:net';
import { deserialize, serialize } from 'node:v8';
import { AppError } from '../../kernel/app-error.ts';

/** The largest message; a result beyond it is refused rather than buffered. */
const maxFrameBytes = 64 * 1024 * 1024;
const headerBytes = 4;

/**
 * Whole values over a stream: a length of four bytes, then the value by the structured clone algorithm, which keeps
 * dates, bytes and `undefined` as they are. Both ends run the same version of the same program as the same user.
 */
export class FramedConnection {
  readonly #socket: Socket;
  readonly #chunks: Buffer[] = [];
  #bufferedBytes = 0;

  constructor(
    socket: Socket,
    { onValue, onClose }: { readonly onValue: (value: unknown) => void; readonly onClose: () => void },
  ) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk, onValue));
    // What goes wrong with the stream closes it, which is what is listened for.
    socket.on('error', () => undefined);
    socket.on('close', onClose);
  }

  /** Sends one value. Throws MILLRACE_REQUEST_TOO_LARGE for one that the other side would not take. */
  send(value: unknown): void {
    const body = serialize(value);
    if (body.byteLength > maxFrameBytes) {
      throw new AppError(
        'MILLRACE_REQUEST_TOO_LARGE',
        `${body.byteLength} bytes do not go through the operator socket: at most ${maxFrameBytes} do. Ask for less at once.`,
      );
    }
    const header = Buffer.alloc(headerBytes);
    header.writeUInt32BE(body.byteLength);
    this.#socket.write(header);
    this.#socket.write(body);
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer, onValue: (value: unknown) => void): void {
    this.#chunks.push(chunk);
    this.#bufferedBytes += chunk.byteLength;
    for (let body = this.#next(); body !== undefined; body = this.#next()) {
      let value: unknown;
      try {
        value = deserialize(body);
      } catch {
        this.#socket.destroy();
        return;
      }
      onValue(value);
    }
  }

  #next(): Buffer | undefined {
    const [first] = this.#chunks;
    if (first === undefined || this.#bufferedBytes < headerBytes || this.#socket.destroyed) return undefined;
    const header = first.byteLength >= headerBytes ? first : this.#joined();
    const length = header.readUInt32BE(0);
    if (length > maxFrameBytes) {
      this.#socket.destroy();
      return undefined;
    }
    if (this.#bufferedBytes < headerBytes + length) return undefined;
    const whole = this.#joined();
    const rest = whole.subarray(headerBytes + length);
    this.#chunks.length = 0;
    if (rest.byteLength > 0) this.#chunks.push(rest);
    this.#bufferedBytes = rest.byteLength;
    return whole.subarray(headerBytes, headerBytes + length);
  }

  #joined(): Buffer {
    const whole = Buffer.concat(this.#chunks);
    this.#chunks.length = 0;
    this.#chunks.push(whole);
    return whole;
  }
}
