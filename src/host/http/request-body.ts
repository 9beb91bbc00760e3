import type { Readable } from 'node:stream';
import { AppError } from '../../kernel/app-error.ts';
import type { RefusalReason, RequestLimits } from './request-limits.ts';

/*
 * The bytes of a body as they arrive: no more than the route allows, within their time, and counted among those of all
 * bodies in memory and of the key's.
 */

export interface RequestBodyOptions {
  readonly limits: RequestLimits;
  /** The most bytes. */
  readonly limit: number;
  /** Whose share the bytes count to. */
  readonly share: string | undefined;
  readonly contentLength: number;
  readonly onRefused: (reason: RefusalReason) => void;
  /** Has the work done when the request is answered. */
  readonly whenAnswered: (work: () => void) => void;
}

/**
 * Reads the body. Throws MILLRACE_REQUEST_TOO_LARGE, MILLRACE_OVERLOADED and MILLRACE_RATE_LIMITED where there is no room for its bytes,
 * MILLRACE_REQUEST_TIMEOUT, and MILLRACE_REQUEST_INVALID where the connection ends first. What is refused is left unread: its
 * connection must outlive the refusal, which is still to be sent.
 */
export async function readRequestBody(payload: Readable, options: RequestBodyOptions): Promise<Buffer> {
  const { limits, limit, share, contentLength, onRefused, whenAnswered } = options;
  if (contentLength > limit) throw tooLarge(limit);
  const chunks: Buffer[] = [];
  let size = 0;
  let isAnswered = false;
  whenAnswered(() => {
    isAnswered = true;
    limits.giveBytes(size, share);
  });
  const take = (chunk: unknown): void => {
    // What comes now would never be given back.
    if (isAnswered) throw ended();
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    const refusal = limits.takeBytes(bytes.length, share);
    if (refusal !== undefined) {
      onRefused(refusal.reason);
      throw refusal.error;
    }
    size += bytes.length;
    if (size > limit) throw tooLarge(limit);
    chunks.push(bytes);
  };
  const isRead = new AbortController();
  const timer = limits.waitForBody(isRead.signal).then(
    () => 'late' as const,
    () => 'read' as const,
  );
  try {
    const outcome = await Promise.race([takeAll(payload, take), timer]);
    if (outcome === 'read') return Buffer.concat(chunks, size);
    onRefused(outcome === 'late' ? 'body_time' : 'aborted');
    if (outcome === 'aborted') throw ended();
    throw new AppError(
      'MILLRACE_REQUEST_TIMEOUT',
      `The body had not arrived whole after ${limits.settings.bodyTimeoutMs} ms.`,
    );
  } finally {
    isRead.abort(new Error('the body is read, or given up'));
  }
}

/** Takes chunk after chunk until the body or its connection ends. Throws what taking one throws. */
function takeAll(payload: Readable, take: (chunk: unknown) => void): Promise<'read' | 'aborted'> {
  return new Promise((resolve, reject) => {
    if (payload.destroyed) {
      resolve('aborted');
      return;
    }
    const onData = (chunk: unknown): void => {
      try {
        take(chunk);
      } catch (error) {
        payload.off('data', onData).pause();
        reject(error instanceof Error ? error : new Error('a chunk could not be taken', { cause: error }));
      }
    };
    payload.on('data', onData);
    payload.once('end', () => resolve('read'));
    payload.once('error', () => resolve('aborted'));
    payload.once('close', () => resolve('aborted'));
  });
}

function ended(): AppError {
  return new AppError('MILLRACE_REQUEST_INVALID', 'The connection ended before the body was complete.');
}

function tooLarge(limit: number): AppError {
  return new AppError('MILLRACE_REQUEST_TOO_LARGE', `The body is larger than ${limit} bytes.`);
}
