import type { StreamedEvent } from './event-stream.ts';
import { sseFrame, sseRetry } from './sse-frame.ts';

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
    return sseFrame({ id, name: event.kind, data: JSON.stringify(event) });
  }

  end(): string {
    return '';
  }
}
