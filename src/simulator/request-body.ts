import type { IncomingMessage } from 'node:http';

export type RequestBody =
  | { readonly kind: 'whole'; readonly text: string }
  | { readonly kind: 'too-large' }
  /** The client left before it had sent the whole body. */
  | { readonly kind: 'gone' };

/** Reads the whole body. What comes after the limit is thrown away unread. */
export function readBody(incoming: IncomingMessage, maxBytes: number): Promise<RequestBody> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    incoming.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxBytes) chunks.push(chunk);
      else resolve({ kind: 'too-large' });
    });
    incoming.once('end', () => resolve({ kind: 'whole', text: Buffer.concat(chunks).toString('utf8') }));
    incoming.once('error', () => resolve({ kind: 'gone' }));
    incoming.once('close', () => resolve({ kind: 'gone' }));
  });
}
