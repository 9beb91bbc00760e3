import type { ShownRequest, StreamedEvent } from './event-stream.ts';
import { sseFrame, sseRetry } from './sse-frame.ts';

/** A larger result is read from the request itself. */
const maxResultCharacters = 1_048_576;
const retryMs = 2000;

/** How a stream of events is written. */
export interface StreamRendering {
  /** What stands before everything. */
  begin(): string;
  render(streamed: StreamedEvent): string;
  /** What stands after the final event. */
  end(): string;
}

/** One frame for each event, under its id and its kind. */
export class NativeRendering implements StreamRendering {
  begin(): string {
    return sseRetry(retryMs);
  }

  render({ id, event }: StreamedEvent): string {
    const data = 'request' in event ? { ...event, request: boundedRequest(event.request) } : event;
    return sseFrame({ id, name: event.kind, data: JSON.stringify(data) });
  }

  end(): string {
    return '';
  }
}

/** The request without a result that is too large for a line. */
export function boundedRequest(
  request: ShownRequest,
): ShownRequest | (Omit<ShownRequest, 'result'> & { readonly resultAt: string }) {
  const { result, ...rest } = request;
  if (result === undefined || JSON.stringify(result).length <= maxResultCharacters) return request;
  return { ...rest, resultAt: `/v1/requests/${request.id}` };
}
