/* Frames of Server-Sent Events (WHATWG HTML, "event stream"). JSON has no line breaks of its own, so that each fits one data line. */

/** One event as its frame. */
export function sseFrame({ id, name, data }: { id?: number; name?: string; data: string }): string {
  const idLine = id === undefined ? '' : `id: ${id}\n`;
  const nameLine = name === undefined ? '' : `event: ${name}\n`;
  return `${idLine}${nameLine}data: ${data}\n\n`;
}

/** How long a client waits before it connects again. */
export function sseRetry(delayMs: number): string {
  return `retry: ${delayMs}\n\n`;
}

/** A line that says nothing and keeps the connection. */
export const sseHeartbeat = ': heartbeat\n\n';
