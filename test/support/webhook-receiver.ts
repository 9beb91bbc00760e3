import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import { text as textOf } from 'node:stream/consumers';

/** What a receiver was sent. */
export interface Told {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** How a receiver answers: a status, or by its own hand. */
export type Answer = number | ((response: ServerResponse) => void);

/** A receiver of webhooks on this machine, with answers in the hand of the test. */
export class WebhookReceiver {
  readonly told: Told[] = [];
  /** The answers to come, by path; 204 after them. */
  readonly answers = new Map<string, Answer[]>();
  readonly port: number;
  readonly #server: Server;

  private constructor(server: Server) {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('The receiver has no port.');
    this.port = address.port;
    this.#server = server;
    server.on('request', (request, response) => {
      const path = request.url ?? '';
      void textOf(request).then((body) => {
        this.told.push({ path, headers: request.headers, body });
        const answer = this.answers.get(path)?.shift() ?? 204;
        if (typeof answer === 'function') answer(response);
        else response.writeHead(answer).end();
      });
    });
  }

  static async start(): Promise<WebhookReceiver> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new WebhookReceiver(server);
  }

  url(path = '/'): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  /** What came at a path. */
  at(path: string): readonly Told[] {
    return this.told.filter((one) => one.path === path);
  }

  forget(): void {
    this.told.length = 0;
    this.answers.clear();
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
