import type { ServerResponse } from 'node:http';
import type { Clock } from '../kernel/clock.ts';
import { refusalBody, type Refusal, retryHeaders } from './provider-errors.ts';
import type { SimulatedProvider } from './simulator-prices.ts';

/** How long a connection that is to break stays up after its last byte. */
const cutAfterMs = 20;

/** How a stream is paced. */
export interface Pace {
  readonly firstFrameMs: number;
  /** From the first frame to the last. */
  readonly restMs: number;
}

/** Made once: every request ends with a close, and an error with its stack is dear. */
const closedReason = new Error('The connection is closed.');

/** One HTTP answer in a provider's manner: its headers, its errors, its streams, and its ways to break. */
export class Reply {
  readonly requestId: string;
  readonly #provider: SimulatedProvider;
  readonly #response: ServerResponse;
  readonly #clock: Clock;
  readonly #startedMs: number;
  readonly #gone = new AbortController();
  #headers: Record<string, string> = {};
  #framesWritten = 0;

  constructor(provider: SimulatedProvider, requestId: string, response: ServerResponse, clock: Clock) {
    this.requestId = requestId;
    this.#provider = provider;
    this.#response = response;
    this.#clock = clock;
    this.#startedMs = clock.monotonicMs();
    response.once('close', () => this.#gone.abort(closedReason));
  }

  /** Whether the connection closed before the whole answer was handed to the network. */
  get wasMissed(): boolean {
    return this.#gone.signal.aborted && !this.#response.writableFinished;
  }

  /** How many frames of a stream were written before it ended or the client left. */
  get framesWritten(): number {
    return this.#framesWritten;
  }

  /** Headers that are sent with whatever is answered. */
  addHeaders(headers: Record<string, string>): void {
    this.#headers = { ...this.#headers, ...headers };
  }

  /** Resolves after the delay, or as soon as the client is gone; says whether it is still there. */
  async wait(delayMs: number): Promise<boolean> {
    if (delayMs > 0 && !this.#gone.signal.aborted) {
      try {
        await this.#clock.sleep(delayMs, this.#gone.signal);
      } catch (cause) {
        if (!this.#gone.signal.aborted) throw cause;
      }
    }
    return !this.#gone.signal.aborted;
  }

  refuse(refusal: Refusal): void {
    this.addHeaders(retryHeaders(this.#provider, refusal));
    this.#whole(refusal.status, JSON.stringify(refusalBody(this.#provider, refusal, this.requestId)));
  }

  /** Sends the text as a whole answer, whether or not it is sound JSON. */
  json(text: string): void {
    this.#whole(200, text);
  }

  /** Sends the text as a whole answer of any kind. */
  send(status: number, contentType: string, text: string): void {
    this.begin(status, contentType);
    this.end(text);
  }

  /** Whether the client is gone. */
  get isGone(): boolean {
    return this.#gone.signal.aborted;
  }

  /** Resolves when the client is gone. */
  async gone(): Promise<void> {
    if (this.isGone) return;
    await new Promise<void>((resolve) => {
      this.#gone.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** Ends the answer, as whole as it is. */
  end(text = ''): void {
    this.#response.end(text);
  }

  /** Breaks the connection at once. */
  cut(): void {
    this.#response.destroy();
  }

  /** Sends the first half of the text, then breaks the connection. */
  async cutJson(text: string): Promise<void> {
    this.addHeaders({ 'content-length': String(Buffer.byteLength(text)) });
    this.begin(200, 'application/json');
    await this.write(text.slice(0, Math.floor(text.length / 2)));
    await this.cutSoon();
  }

  /** Sends the frames at the pace; breaks the connection after them if `isCut`. */
  async stream(frames: readonly string[], pace: Pace, isCut: boolean): Promise<void> {
    if (!(await this.wait(pace.firstFrameMs))) return;
    this.begin(200, 'text/event-stream; charset=utf-8');
    await this.#writePaced(frames, pace.restMs);
    if (isCut) await this.cutSoon();
    else this.#response.end();
  }

  /** Lets what was written reach the client before the connection breaks; what it has not read then is lost to it. */
  async cutSoon(): Promise<void> {
    await this.wait(cutAfterMs);
    this.#response.destroy();
  }

  /** Frames that would follow each other within a timer's grain go out in one write. */
  async #writePaced(frames: readonly string[], totalMs: number): Promise<void> {
    const gapMs = totalMs / Math.max(1, frames.length - 1);
    const group = gapMs === 0 ? frames.length : Math.max(1, Math.ceil(2 / gapMs));
    for (let start = 0; start < frames.length; start += group) {
      if (start > 0 && !(await this.wait(gapMs * group))) return;
      const written = frames.slice(start, start + group);
      this.#framesWritten += written.length;
      await this.write(written.join(''));
    }
  }

  /** Resolves when more may be written, or the client is gone. */
  write(text: string | Buffer): Promise<void> {
    if (this.#response.destroyed || this.#response.write(text)) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.#response.off('drain', done);
        this.#response.off('close', done);
        resolve();
      };
      this.#response.once('drain', done);
      this.#response.once('close', done);
    });
  }

  #whole(status: number, text: string): void {
    this.addHeaders({ 'content-length': String(Buffer.byteLength(text)) });
    this.begin(status, 'application/json');
    this.#response.end(text);
  }

  /** Sends the head of an answer whose body is written piece by piece. */
  begin(status: number, contentType: string): void {
    const processingMs = Math.round(this.#clock.monotonicMs() - this.#startedMs);
    const own: Record<string, string> =
      this.#provider === 'openai'
        ? {
            'x-request-id': this.requestId,
            'openai-processing-ms': String(processingMs),
            'openai-version': '2020-10-01',
            'openai-organization': 'simulator',
          }
        : { 'request-id': this.requestId, 'anthropic-organization-id': 'simulator' };
    this.#response.writeHead(status, { 'content-type': contentType, ...own, ...this.#headers });
  }
}
