import { connect, createServer, type Server, type Socket } from 'node:net';

/*
 * The network between one process and PostgreSQL. When it is cut, nothing goes either way and nobody is told, as when
 * packets are dropped: connections stay up, new ones get no answer. Mended, it goes on where it stopped, or is reset.
 */

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

export class DatabasePath {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #isCut = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Opens a way to the database of the connection string. */
  static async open(connectionString: string): Promise<DatabasePath> {
    const { hostname, port } = new URL(connectionString);
    const server = createServer();
    const path = new DatabasePath(server);
    server.on('connection', (client) => path.#join({ client, server: connect(Number(port), hostname) }));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return path;
  }

  /** The same connection, this way. */
  urlOf(connectionString: string): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('The way is not open');
    const url = new URL(connectionString);
    url.hostname = '127.0.0.1';
    url.port = String(address.port);
    return url.href;
  }

  cut(): void {
    this.#isCut = true;
    for (const { client, server } of this.#pairs) {
      client.unpipe(server).pause();
      server.unpipe(client).pause();
    }
  }

  mend(how: 'resume' | 'reset'): void {
    this.#isCut = false;
    for (const pair of this.#pairs) {
      if (how === 'reset' || pair.client.destroyed || pair.server.destroyed) this.#part(pair);
      else this.#pipe(pair);
    }
  }

  async close(): Promise<void> {
    for (const pair of this.#pairs) this.#part(pair);
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  #join(pair: Pair): void {
    this.#pairs.add(pair);
    for (const socket of [pair.client, pair.server]) {
      // What broke is closed next; whether the other side hears of it depends on the cut.
      socket.on('error', () => undefined);
      socket.on('close', () => {
        if (!this.#isCut) this.#part(pair);
      });
    }
    if (this.#isCut) pair.client.pause();
    else this.#pipe(pair);
  }

  #pipe({ client, server }: Pair): void {
    client.pipe(server);
    server.pipe(client);
  }

  #part(pair: Pair): void {
    this.#pairs.delete(pair);
    pair.client.destroy();
    pair.server.destroy();
  }
}
