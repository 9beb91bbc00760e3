import { EventEmitter } from 'node:events';
import { AppError } from '../kernel/app-error.ts';

/**
 * Does work that only the request's sender waits for. The signal aborts when the connection ends: by its other end, or because the server closes and
 * the time for its requests is over.
 */
export async function whileConnected<Result>(
  request: object,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const gone = new AbortController();
  const end = (): void =>
    gone.abort(
      new AppError('MILLRACE_REQUEST_INVALID', 'The connection ended before the request was answered.'),
    );
  const socket: unknown = 'socket' in request ? request.socket : undefined;
  if (!(socket instanceof EventEmitter)) return await work(gone.signal);
  if ('destroyed' in socket && socket.destroyed === true) end();
  socket.once('close', end);
  try {
    return await work(gone.signal);
  } finally {
    socket.off('close', end);
  }
}
