import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';

/** One alert of one notification. */
export interface AlertNotice {
  /** The path that it came to, without its slash: who was told. */
  readonly receiver: string;
  readonly status: 'firing' | 'resolved';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A webhook that Alertmanager tells; each receiver has a path of its own. */
export interface AlertReceiver {
  readonly url: string;
  /** Everything told so far, in order. */
  readonly notices: readonly AlertNotice[];
  stop(): Promise<void>;
}

/** Starts it on a free port of 127.0.0.1. */
export async function startAlertReceiver(): Promise<AlertReceiver> {
  const notices: AlertNotice[] = [];
  const server = createServer((request, response) => {
    readBody(request).then(
      (body) => {
        const receiver = (request.url ?? '/').slice(1);
        const { alerts } = JSON.parse(body) as { alerts: Omit<AlertNotice, 'receiver'>[] };
        notices.push(...alerts.map((alert) => ({ ...alert, receiver })));
        response.end();
      },
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the receiver has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    notices,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
