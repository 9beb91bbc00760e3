import http, { type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import https from 'node:https';
import { text as textOf } from 'node:stream/consumers';
import { z } from 'zod';
import type { Clock, Timer } from '../kernel/clock.ts';
import { exportBody, type SpanSource } from './otlp-body.ts';
import type { RecordedSpan } from './recorded-span.ts';

/*
 * Sends spans by OTLP over HTTP, one export at a time. What waits is bounded: while the receiver is away or slow further
 * spans are dropped, and counted. Traces are a view; the ledger is the record.
 *
 *   waiting ─ enough for one export, or its time has come ─► on the way ─ taken ─► gone
 *                                                              └─ not taken in time, or refused ─► dropped
 */

export interface SpanSenderOptions {
  readonly source: SpanSource;
  /** The whole address. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Called for spans that nobody will see. */
  readonly onDropped: (reason: DropReason, count: number) => void;
  /** Called for the first export that fails after one that did not. */
  readonly onFailing: (error: unknown) => void;
}

/** Why spans are dropped: too many wait, or the receiver does not take them. */
export type DropReason = 'no_room' | 'not_taken';

/** The most spans that wait. */
export const maxWaitingSpans = 8192;
const maxSpansPerExport = 512;
const exportDelayMs = 1000;
/** One export, its repetitions included. */
const exportTimeoutMs = 10_000;
const firstRetryMs = 500;
const worthRepeating = [429, 502, 503, 504];

const answerSchema = z.object({
  partialSuccess: z.object({ rejectedSpans: z.coerce.number().default(0) }).nullish(),
});

export class SpanSender {
  readonly #options: SpanSenderOptions;
  readonly #waiting: RecordedSpan[] = [];
  readonly #agent: http.Agent;
  #timer: Timer | undefined;
  #sending: Promise<void> | undefined;
  #isClosed = false;
  /** The latest failure since the last export that succeeded. */
  #failure: Error | undefined;

  constructor(options: SpanSenderOptions) {
    this.#options = options;
    const { Agent } = options.endpoint.startsWith('https:') ? https : http;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1 });
  }

  /** How many spans wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  add(span: RecordedSpan): void {
    if (this.#isClosed || this.#waiting.length >= maxWaitingSpans) {
      this.#options.onDropped('no_room', 1);
      return;
    }
    this.#waiting.push(span);
    if (this.#waiting.length >= maxSpansPerExport) this.#startSending();
    else this.#sendLater();
  }

  /** Sends what waits, then no more. Rejects when the last export failed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const { clock } = this.#options;
    const untilMs = clock.monotonicMs() + exportTimeoutMs;
    while (this.#waiting.length > 0 && clock.monotonicMs() < untilMs) {
      this.#startSending();
      await this.#sending;
    }
    await this.#sending;
    this.#drop(this.#waiting.splice(0).length);
    this.#agent.destroy();
    if (this.#failure !== undefined) throw this.#failure;
  }

  #sendLater(): void {
    this.#timer ??= this.#options.clock.startTimer(exportDelayMs, () => this.#startSending()).unref();
  }

  #startSending(): void {
    this.#timer?.close();
    this.#timer = undefined;
    this.#sending ??= this.#sendBatch().finally(() => {
      this.#sending = undefined;
      if (this.#waiting.length >= maxSpansPerExport) this.#startSending();
      else if (this.#waiting.length > 0 && !this.#isClosed) this.#sendLater();
    });
  }

  async #sendBatch(): Promise<void> {
    const batch = this.#waiting.splice(0, maxSpansPerExport);
    try {
      const rejected = await this.#send(exportBody(this.#options.source, batch));
      this.#failure = undefined;
      this.#drop(rejected);
    } catch (error) {
      if (this.#failure === undefined) this.#options.onFailing(error);
      this.#failure = error instanceof Error ? error : new Error(String(error));
      this.#drop(batch.length);
    }
  }

  #drop(count: number): void {
    if (count > 0) this.#options.onDropped('not_taken', count);
  }

  /** Answers how many spans the receiver would not have. */
  async #send(body: Buffer): Promise<number> {
    const { clock } = this.#options;
    const untilMs = clock.monotonicMs() + exportTimeoutMs;
    for (let retryMs = firstRetryMs; ; retryMs *= 2) {
      const leftMs = untilMs - clock.monotonicMs();
      const attempt = await this.#post(body, leftMs);
      if (attempt.kind === 'taken') return attempt.rejected;
      const pauseMs = attempt.retryAfterMs ?? retryMs * (0.8 + 0.4 * Math.random());
      if (attempt.kind === 'refused' || pauseMs >= untilMs - clock.monotonicMs()) throw attempt.error;
      await clock.sleep(pauseMs);
    }
  }

  async #post(body: Buffer, timeoutMs: number): Promise<Attempt> {
    try {
      const { status, text, retryAfter } = await this.#answerTo(body, timeoutMs);
      if (status >= 200 && status < 300) return { kind: 'taken', rejected: rejectedOf(text) };
      const error = new Error(`the receiver of traces answered ${status} ${text.slice(0, 200)}`);
      const kind = worthRepeating.includes(status) ? 'failed' : 'refused';
      return { kind, error, retryAfterMs: retryAfterMsOf(retryAfter) };
    } catch (error) {
      // Not reached, or no answer in time.
      return { kind: 'failed', error, retryAfterMs: undefined };
    }
  }

  /** By node:http: fetch copies a body through a stream, which costs as much as rendering it. */
  async #answerTo(body: Buffer, timeoutMs: number): Promise<ReceiverAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const late = new AbortController();
    const timer = this.#options.clock
      .startTimer(timeoutMs, () => late.abort(new DOMException('no answer in time', 'TimeoutError')))
      .unref();
    const request = this.#request({
      method: 'POST',
      headers: {
        ...this.#options.headers,
        'content-type': 'application/json',
        'content-length': body.length,
      },
      agent: this.#agent,
      signal: late.signal,
    });
    request.once('response', resolve).on('error', reject).end(body);
    try {
      const response = await promise;
      const { statusCode: status = 0, headers } = response;
      return { status, text: await textOf(response), retryAfter: headers['retry-after'] };
    } finally {
      timer.close();
    }
  }

  #request(options: RequestOptions): ClientRequest {
    const { endpoint } = this.#options;
    return endpoint.startsWith('https:') ? https.request(endpoint, options) : http.request(endpoint, options);
  }
}

interface ReceiverAnswer {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | undefined;
}

type Attempt =
  | { readonly kind: 'taken'; readonly rejected: number }
  | {
      /** Whether it is worth asking again. */
      readonly kind: 'failed' | 'refused';
      readonly error: unknown;
      readonly retryAfterMs: number | undefined;
    };

/** A receiver that took some of the spans says how many it did not. Most answer nothing, or an empty object. */
function rejectedOf(text: string): number {
  try {
    return answerSchema.parse(JSON.parse(text)).partialSuccess?.rejectedSpans ?? 0;
  } catch {
    // The status says that it took them; whatever else it says is nothing that this can count.
    return 0;
  }
}

/** The seconds of a Retry-After; a date, which receivers do not send, is taken for none. */
function retryAfterMsOf(header: string | undefined): number | undefined {
  return header !== undefined && /^\d+$/.test(header) ? Number(header) * 1000 : undefined;
}
