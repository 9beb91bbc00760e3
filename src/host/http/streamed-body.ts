import type { Readable } from 'node:stream';
import { AppError } from '../../kernel/app-error.ts';
import type { RefusalReason, RequestLimits } from './request-limits.ts';

/** What a body that is handed on as it arrives is bounded by. */
export interface StreamedBodyOptions {
  readonly limits: Pick<RequestLimits, 'settings' | 'waitForBody' | 'elapsedMs'>;
  readonly onRefused: (reason: RefusalReason) => void;
}

/**
 * The bytes of a body, piece by piece, as fast as they are asked for. Throws MILLRACE_REQUEST_TIMEOUT when nothing arrives for as long as
 * another body may take in all, or when the whole takes too long; MILLRACE_REQUEST_INVALID when the connection ends first. The stream is
 * left as it is: the connection must outlive a refusal, which is still to be sent.
 */
export async function* streamedBody(
  payload: Readable,
  { limits, onRefused }: StreamedBodyOptions,
): AsyncGenerator<Uint8Array> {
  const { bodyTimeoutMs, uploadTimeoutMs } = limits.settings;
  const elapsedMs = limits.elapsedMs();
  const pieces = payload.iterator({ destroyOnReturn: false });
  for (;;) {
    const next = await nextPiece(pieces, limits);
    if (next === 'late' || elapsedMs() > uploadTimeoutMs) {
      onRefused('body_time');
      const why =
        next === 'late'
          ? `Nothing of the body arrived for ${bodyTimeoutMs} ms.`
          : `The body had not arrived whole after ${uploadTimeoutMs} ms.`;
      throw new AppError('MILLRACE_REQUEST_TIMEOUT', why);
    }
    if (next === 'aborted') {
      onRefused('aborted');
      throw new AppError('MILLRACE_REQUEST_INVALID', 'The connection ended before the body was complete.');
    }
    if (next === 'end') return;
    yield next;
  }
}

async function nextPiece(
  pieces: AsyncIterator<unknown>,
  limits: Pick<RequestLimits, 'waitForBody'>,
): Promise<Uint8Array | 'end' | 'late' | 'aborted'> {
  const isHere = new AbortController();
  const late = limits.waitForBody(isHere.signal).then(
    () => 'late' as const,
    // It came in time.
    () => 'aborted' as const,
  );
  const piece = pieces.next().then(
    ({ done, value }) => {
      if (done === true) return 'end' as const;
      return value instanceof Uint8Array ? value : Buffer.from(String(value));
    },
    // A stream of a request fails in one way: its connection is gone.
    () => 'aborted' as const,
  );
  try {
    return await Promise.race([piece, late]);
  } finally {
    isHere.abort(new Error('a piece of the body is here, or given up'));
  }
}
