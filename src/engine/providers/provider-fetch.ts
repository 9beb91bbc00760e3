import { type Clock, within } from '../../kernel/clock.ts';
import { AnswerFault } from './answer-fault.ts';

/*
 * How requests go to a provider over HTTP. A redirect is never followed: the key and the prompt would go to an address
 * that nobody configured, and its answer would be taken for the model's. What an answer may take is bounded here, behind
 * the decompression and before any parser: its bytes, one line of an event stream, the silence between two pieces.
 * Headers are bounded by Node's client (16 KiB, `--max-http-header-size`). The time of the whole is `timeoutMs`.
 */

/** What one answer may take. */
export interface AnswerBounds {
  /** Bytes of an answer, decompressed. */
  readonly maxAnswerBytes: number;
  /** How long an answer that has begun may be silent. */
  readonly idleTimeoutMs: number;
}

export const defaultAnswerBounds: AnswerBounds = { maxAnswerBytes: 67_108_864, idleTimeoutMs: 120_000 };

/** One line of an event stream: it is held in memory until its end has come. */
const maxLineBytes = 16_777_216;

/** Of a refusal only the beginning is read: its status has said what matters. */
export const maxRefusalBytes = 1_048_576;

const lineFeed = 10;

/** `fetch` within the bounds. */
export function providerFetch(bounds: AnswerBounds, clock: Clock): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, { ...init, redirect: 'manual' });
    const { status, statusText, headers, body } = response;
    if (status >= 300 && status < 400) {
      await body?.cancel();
      throw new AnswerFault(
        'redirected',
        `the provider answered with a redirect (HTTP ${status}), which is never followed`,
      );
    }
    if (body === null) return response;
    const { idleTimeoutMs } = bounds;
    const readWithin: BoundedRead = (reader) =>
      within(
        clock,
        idleTimeoutMs,
        reader.read(),
        () => new AnswerFault('stalled', `the answer was silent for ${idleTimeoutMs} ms`),
      );
    return new Response(boundedBody(body, gaugeOf(response, bounds), readWithin), {
      status,
      statusText,
      headers,
    });
  };
}

/** Looks at each piece: goes on, ends quietly, or throws. */
type Gauge = (piece: Uint8Array) => 'more' | 'enough';

function gaugeOf({ status, headers }: Response, { maxAnswerBytes }: AnswerBounds): Gauge {
  let bytes = 0;
  if (status >= 400) return (piece) => ((bytes += piece.byteLength) > maxRefusalBytes ? 'enough' : 'more');
  const hasLines = (headers.get('content-type') ?? '').startsWith('text/event-stream');
  let lineBytes = 0;
  return (piece) => {
    bytes += piece.byteLength;
    if (bytes > maxAnswerBytes) {
      throw new AnswerFault('answer_too_large', `the answer is larger than ${maxAnswerBytes} bytes`);
    }
    if (!hasLines) return 'more';
    const end = piece.lastIndexOf(lineFeed);
    lineBytes = end < 0 ? lineBytes + piece.byteLength : piece.byteLength - end - 1;
    if (lineBytes > maxLineBytes) {
      throw new AnswerFault('answer_too_large', `a line of the stream is longer than ${maxLineBytes} bytes`);
    }
    return 'more';
  };
}

type BoundedRead = (
  reader: ReadableStreamDefaultReader<Uint8Array>,
) => ReturnType<ReadableStreamDefaultReader<Uint8Array>['read']>;

function boundedBody(
  body: ReadableStream<Uint8Array>,
  gauge: Gauge,
  read: BoundedRead,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const next = await read(reader);
          if (next.done) {
            controller.close();
            return;
          }
          if (gauge(next.value) === 'more') {
            controller.enqueue(next.value);
            return;
          }
          controller.close();
          void reader.cancel().catch(() => undefined);
        } catch (error) {
          controller.error(error);
          // Ends the connection: whatever else it has to say is not wanted.
          void reader.cancel(error).catch(() => undefined);
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
