import { createHmac } from 'node:crypto';

/** A request of Standard Webhooks: the body, and what signs it. */
export interface SignedRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The request that tells something. The same id and body at every attempt; the time is the attempt's. */
export function signedRequest(
  { id, body }: { readonly id: string; readonly body: string },
  secret: Buffer,
  now: Date,
): SignedRequest {
  const timestamp = String(Math.floor(now.getTime() / 1000));
  const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64');
  return {
    body,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'millrace',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signature}`,
    },
  };
}
