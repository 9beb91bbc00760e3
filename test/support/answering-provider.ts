import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A provider on loopback that answers whatever a test says. */
export class AnsweringProvider {
  /** How it answers from now on; called when a request has come whole. */
  answer: RequestListener = (_request, response) => response.writeHead(501).end();
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (request, response) => {
      request.resume().on('end', () => this.answer(request, response));
    });
  }

  static async start(): Promise<AnsweringProvider> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new AnsweringProvider(server);
  }

  /** Cuts what is still open, such as an answer that never ends. */
  cut(): void {
    this.#server.closeAllConnections();
  }

  async stop(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
