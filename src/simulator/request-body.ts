import type { IncomingMessage } from 'node:http';

export type RequestBytes =
  | { readonly kind: 'whole'; readonly bytes: Buffer }
  | { readonly kind: 'too-large' }
  /** The client left before it had sent the whole body. */
  | { readonly kind: 'gone' };

export type RequestBody =
  Exclude<RequestBytes, { kind: 'whole' }> | { readonly kind: 'whole'; readonly text: string };

/** Reads the whole body as text. What comes after the limit is thrown away unread. */
export async function readBody(incoming: IncomingMessage, maxBytes: number): Promise<RequestBody> {
  const read = await readBytes(incoming, maxBytes);
  return read.kind === 'whole' ? { kind: 'whole', text: read.bytes.toString('utf8') } : read;
}

/** Reads the whole body. What comes after the limit is thrown away unread. */
export function readBytes(incoming: IncomingMessage, maxBytes: number): Promise<RequestBytes> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    incoming.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxBytes) chunks.push(chunk);
      else resolve({ kind: 'too-large' });
    });
    incoming.once('end', () => resolve({ kind: 'whole', bytes: Buffer.concat(chunks) }));
    incoming.once('error', () => resolve({ kind: 'gone' }));
    incoming.once('close', () => resolve({ kind: 'gone' }));
  });
}
