import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A proxy of TCP connections that a test cuts, as networks do. */
export class CuttingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** How many connections were made. */
  connections = 0;
  /** Bytes that each connection lets through to the client before it is cut. */
  cutAfterBytes = Infinity;
  /** Nothing comes through any more, and nobody is told. */
  isSilent = false;

  private constructor(target: URL) {
    this.#server = createServer((client) => {
      this.connections += 1;
      const server = connect(Number(target.port), target.hostname);
      this.#keep(client, server);
      client.pipe(server);
      let left = this.cutAfterBytes;
      server.on('data', (bytes: Buffer) => {
        if (this.isSilent) return;
        client.write(bytes.subarray(0, left));
        left -= bytes.length;
        if (left <= 0) client.destroy();
      });
    });
  }

  static async open(target: string): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(new URL(target));
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Cuts all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #keep(client: Socket, server: Socket): void {
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      // Cut connections are what it is for.
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }
}
