import { once } from 'node:events';
import { createServer } from 'node:http';
import { invariant } from '../kernel/invariant.ts';

/** A request that came to the decoy. */
export interface DecoyRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly bodyBytes: number;
}

/** Where redirects of a hostile provider lead: another host, which records what it gets and answers something. */
export interface Decoy {
  /** Its address without a path. */
  readonly url: string;
  /** The first requests, at most a thousand. */
  readonly received: readonly DecoyRequest[];
  close(): Promise<void>;
}

const maxReceived = 1000;

export async function startDecoy(): Promise<Decoy> {
  const received: DecoyRequest[] = [];
  const server = createServer((request, response) => {
    let bodyBytes = 0;
    request.on('data', (chunk: Buffer) => {
      bodyBytes += chunk.length;
    });
    request.once('end', () => {
      const { method = '', url = '', headers } = request;
      if (received.length < maxReceived) received.push({ method, url, headers, bodyBytes });
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  invariant(typeof address === 'object' && address !== null, 'a listening server has an address');
  return {
    url: `http://127.0.0.1:${address.port}`,
    received,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
